import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiRequest, type ApiAccess, hostAccess, messageOf } from '../cluster/api-request.ts';
import { advertisedServer, clusterInfo, publishCluster, signaturePrefix } from '../cluster/publish-cluster.ts';
import { loadConfig, type ClusterConfig } from '../config.ts';
import { UserError } from '../user-error.ts';
import {
  caCertificateHash,
  generateToken,
  parseToken,
  parseTokenSecret,
  renderTokenSecret,
  secretNameOf,
  type TokenParts,
  type TokenSecret,
  type TokenSpec,
} from './bootstrap-token.ts';

/** Signing waits for a leader; when the last one has just lost its host, another takes over after 15 s or so. */
const signatureTimeoutMs = 30_000;

const secrets = '/api/v1/namespaces/kube-system/secrets';

/** The cluster that this host controls. Throws UserError when there is none. */
export function controlPlaneConfig(rootDir: string): ClusterConfig {
  const config = loadConfig(rootDir);
  if (config === undefined) throw new UserError(`There is no cluster in ${rootDir}; start one with: skiff up`);
  if (config.role !== 'control-plane')
    throw new UserError('This host has joined a cluster; tokens are made on a host of its control plane.', 'usage');
  return config;
}

async function expectAnswer(access: ApiAccess, call: Parameters<typeof apiRequest>[1], what: string): Promise<string> {
  const answer = await apiRequest(access, call).catch((error: unknown) => {
    throw new UserError(`The apiserver does not answer: ${error instanceof Error ? error.message : String(error)}`, 'unreachable');
  });
  if (answer.code >= 300) throw new UserError(`${what}: ${messageOf(answer)}`, answer.code === 409 ? 'conflict' : 'refused');
  return answer.body;
}

/** Signed by a controller: a moment passes. Tokens that may not sign are not waited for. */
async function waitSigned(access: ApiAccess, token: TokenSpec, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const path = `/api/v1/namespaces/${clusterInfo.namespace}/configmaps/${clusterInfo.name}`;
  while (token.usages.includes('signing')) {
    const body = await expectAnswer(access, { path }, 'cluster-info could not be read');
    if ((JSON.parse(body) as { data?: Record<string, string> }).data?.[signaturePrefix + token.id] !== undefined) return;
    if (Date.now() > deadline)
      throw new UserError('The token was made, but the controller-manager does not sign kube-public/cluster-info with it; see its log.');
    await new Promise((r) => setTimeout(r, 30));
  }
}

/** Makes a token and what a host needs beside it to join. Resolves with it once it can be used. */
export async function createToken(
  config: ClusterConfig,
  o: Omit<TokenSpec, 'id' | 'secret'> & { readonly token?: TokenParts },
): Promise<TokenParts> {
  const access = hostAccess(config);
  const token: TokenSpec = { ...o, ...(o.token ?? generateToken()) };
  await publishCluster(config).catch((error: unknown) => {
    throw new UserError(
      `The cluster can't be described to others: ${error instanceof Error ? error.message : String(error)}`,
      'unreachable',
    );
  });
  await expectAnswer(access, { method: 'POST', path: secrets, body: renderTokenSecret(token) }, 'The token could not be made');
  await waitSigned(access, token, signatureTimeoutMs);
  return { id: token.id, secret: token.secret };
}

/** The line that a new host is to run. */
export function joinCommand(config: ClusterConfig, token: TokenParts): string {
  const hash = caCertificateHash(readFileSync(join(config.rootDir, 'pki/ca.crt'), 'utf8'));
  const server = advertisedServer(config).replace('https://', '');
  // From a clone there may be no `skiff` in PATH.
  const command = process.env['npm_lifecycle_event'] === undefined ? 'skiff join' : 'npm run join --';
  return `${command} ${server} --token ${token.id}.${token.secret} --discovery-token-ca-cert-hash ${hash}`;
}

export async function listTokens(config: ClusterConfig): Promise<readonly TokenSpec[]> {
  const selector = encodeURIComponent('type=bootstrap.kubernetes.io/token');
  const body = await expectAnswer(hostAccess(config), { path: `${secrets}?fieldSelector=${selector}` }, 'Tokens could not be listed');
  return ((JSON.parse(body) as { items?: TokenSecret[] }).items ?? []).flatMap((secret) => parseTokenSecret(secret) ?? []);
}

/** `id` or the whole token. Throws UserError when there is none. */
export async function deleteToken(config: ClusterConfig, text: string): Promise<string> {
  const id = /^[a-z0-9]{6}$/.test(text) ? text : parseToken(text).id;
  await expectAnswer(hostAccess(config), { method: 'DELETE', path: `${secrets}/${secretNameOf(id)}` }, `Token ${id} could not be deleted`);
  return id;
}

function describeTtl(token: TokenSpec, nowMs: number): string {
  if (token.expiresAtMs === undefined) return '<forever>';
  const leftMs = token.expiresAtMs - nowMs;
  if (!(leftMs > 0)) return '<expired>';
  const minutes = Math.floor(leftMs / 60_000);
  return minutes >= 60
    ? `${Math.floor(minutes / 60)}h${minutes % 60 === 0 ? '' : `${minutes % 60}m`}`
    : minutes > 0
      ? `${minutes}m`
      : `${Math.floor(leftMs / 1000)}s`;
}

/** kubeadm's table, without the secrets: they are shown when a token is made. */
export function formatTokens(tokens: readonly TokenSpec[], nowMs: number): readonly string[] {
  const rows = [
    ['TOKEN ID', 'TTL', 'EXPIRES', 'USAGES', 'DESCRIPTION', 'EXTRA GROUPS'],
    ...tokens.map((t) => [
      t.id,
      describeTtl(t, nowMs),
      t.expiresAtMs === undefined || Number.isNaN(t.expiresAtMs) ? '<never>' : `${new Date(t.expiresAtMs).toISOString().slice(0, 19)}Z`,
      t.usages.toReversed().join(',') || '<none>',
      t.description || '<none>',
      t.groups.join(',') || '<none>',
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((r) => (r[column] ?? '').length)));
  return rows.map((r) =>
    r
      .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
      .join('')
      .trimEnd(),
  );
}
