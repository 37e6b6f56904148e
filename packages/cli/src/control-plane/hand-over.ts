import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiRequest, type ApiAccess, hostAccess, messageOf } from '../cluster/api-request.ts';
import { saveConfig, type ClusterConfig } from '../config.ts';
import { encryptionFile } from '../supervisor/processes.ts';
import { etcdTlsFiles, isExternalEtcd } from '../supervisor/etcd-process.ts';
import { readState, isAlive, stopProcess } from '../supervisor/state.ts';
import { ensureSupervisor, waitReady } from '../up/start-host.ts';
import type { Steps } from '../up/steps.ts';
import { preparePki } from '../pki/prepare-pki.ts';
import { UserError } from '../user-error.ts';
import { type Bundle, decryptBundle, encryptBundle, generateCertificateKey } from './certificate-bundle.ts';
import { openEtcd, ownPeerUrl } from './etcd-access.ts';

const secret = { namespace: 'kube-system', name: 'skiff-certs' } as const;

/** What every control plane host has alike, below `pki/`. */
const sharedFiles = ['ca.crt', 'ca.key', 'front-proxy-ca.crt', 'front-proxy-ca.key', 'sa.key', 'sa.pub'] as const;
const ownEtcdFiles = ['etcd/ca.crt', 'etcd/ca.key'] as const;
/** Where Secrets are encrypted: with what. */
const encryptionEntry = 'encryption-config.yaml';
/** Of an etcd that is not Skiff's: copied to the same place on every host. */
export const externalEtcdFiles = { ca: 'etcd-external/ca.crt', cert: 'etcd-external/client.crt', key: 'etcd-external/client.key' } as const;

/** What a joining host has to know beside the files. */
export interface EtcdHandOver {
  /** Of the members, or of the external etcd. */
  readonly clientUrls: readonly string[];
  readonly external: boolean;
  /** Which of `externalEtcdFiles` there are. */
  readonly files: readonly (keyof typeof externalEtcdFiles)[];
  /** Secrets are encrypted in etcd. */
  readonly encrypted?: boolean;
}
const handOverEntry = 'etcd.json';

/**
 * Makes the first member reachable for others: peers over TLS at the node's address, Events in etcd (each host's Redis would have a part
 * of them only). Restarts this host's processes once; containers go on. Throws UserError.
 */
export async function exposeEtcd(config: ClusterConfig, steps: Steps): Promise<ClusterConfig> {
  if ((config.etcdExposed || isExternalEtcd(config)) && !config.redis) return config;
  if (config.nodeAddress.startsWith('127.'))
    throw new UserError('This host has no address that others reach; give one with: skiff up --node-address', 'usage');
  const next: ClusterConfig = { ...config, etcdExposed: !isExternalEtcd(config), redis: false };
  await steps.run('Opening etcd for other control plane hosts', async (note) => {
    await preparePki(next);
    if (!isExternalEtcd(config)) {
      const etcd = await openEtcd(config);
      try {
        const { memberId } = await etcd.status();
        await etcd.setPeerUrls(memberId, [ownPeerUrl(next)]);
      } finally {
        etcd.close();
      }
    }
    saveConfig(next);
    const { supervisor } = readState(config.rootDir) ?? {};
    if (isAlive(supervisor)) await stopProcess(supervisor, 90);
    const startedMs = Date.now();
    ensureSupervisor(next);
    await waitReady(next, note, { timeoutMs: 120_000, sinceMs: startedMs });
  });
  return next;
}

async function collect(config: ClusterConfig): Promise<Bundle> {
  const read = (path: string): string => readFileSync(path, 'utf8');
  const encrypted = existsSync(encryptionFile(config));
  const files = [...sharedFiles, ...(encrypted ? [encryptionEntry] : [])];
  const shared: Bundle = Object.fromEntries(files.map((f) => [f, read(join(config.rootDir, 'pki', f))]));
  if (isExternalEtcd(config)) {
    const found = Object.entries(etcdTlsFiles(config)) as [keyof typeof externalEtcdFiles, string][];
    const handOver: EtcdHandOver = {
      clientUrls: config.etcdServers.split(','),
      external: true,
      files: found.map(([name]) => name),
      encrypted,
    };
    return {
      ...shared,
      ...Object.fromEntries(found.map(([name, path]) => [externalEtcdFiles[name], read(path)])),
      [handOverEntry]: JSON.stringify(handOver),
    };
  }
  const etcd = await openEtcd(config);
  try {
    const clientUrls = (await etcd.members()).flatMap((m) => (m.isLearner ? [] : m.clientUrls));
    const handOver: EtcdHandOver = { clientUrls, external: false, files: [], encrypted };
    return {
      ...shared,
      ...Object.fromEntries(ownEtcdFiles.map((f) => [f, read(join(config.rootDir, 'pki', f))])),
      [handOverEntry]: JSON.stringify(handOver),
    };
  } finally {
    etcd.close();
  }
}

/**
 * Lays the certificates down for a host that joins the control plane: in a Secret, encrypted with a key that is only printed, and owned by the
 * token's Secret, so that it goes with it. Returns the key. Throws UserError.
 */
export async function handOverCertificates(config: ClusterConfig, tokenSecretName: string): Promise<string> {
  const access = hostAccess(config);
  const secrets = `/api/v1/namespaces/${secret.namespace}/secrets`;
  const key = generateCertificateKey();
  const owner = await apiRequest(access, { path: `${secrets}/${tokenSecretName}` });
  if (owner.code !== 200) throw new UserError(`The token's Secret can't be read: ${messageOf(owner)}`, 'refused');
  const { metadata } = JSON.parse(owner.body) as { metadata: { uid: string } };
  const body = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      ...secret,
      ownerReferences: [{ apiVersion: 'v1', kind: 'Secret', name: tokenSecretName, uid: metadata.uid }],
    },
    type: 'Opaque',
    data: encryptBundle(await collect(config), key),
  };
  await apiRequest(access, { method: 'DELETE', path: `${secrets}/${secret.name}` });
  const made = await apiRequest(access, { method: 'POST', path: secrets, body });
  if (made.code >= 300) throw new UserError(`The certificates could not be handed over: ${messageOf(made)}`, 'refused');
  return key;
}

export interface Received {
  readonly files: Bundle;
  readonly etcd: EtcdHandOver;
}

/** Reads them with the token, and decrypts them. Throws UserError. */
export async function receiveCertificates(access: ApiAccess, key: string): Promise<Received> {
  const answer = await apiRequest(access, { path: `/api/v1/namespaces/${secret.namespace}/secrets/${secret.name}` });
  if (answer.code === 403 || answer.code === 404)
    throw new UserError(
      answer.code === 403
        ? 'This token is one for workers. On a control plane host: skiff token create --control-plane --print-join-command'
        : 'The handed-over certificates have expired with their token. Make a new one there: skiff token create --control-plane',
      'refused',
    );
  if (answer.code !== 200) throw new UserError(`The certificates can't be read: ${messageOf(answer)}`, 'refused');
  const data = (JSON.parse(answer.body) as { data?: Record<string, string> }).data ?? {};
  const etcd = JSON.parse(decryptBundle(data, key, [handOverEntry])[handOverEntry] ?? '{}') as EtcdHandOver;
  const wanted = [
    ...sharedFiles,
    ...(etcd.encrypted === true ? [encryptionEntry] : []),
    ...(etcd.external ? etcd.files.map((name) => externalEtcdFiles[name]) : ownEtcdFiles),
  ];
  return { files: decryptBundle(data, key, wanted), etcd };
}

/** Whether this host has had a member of etcd before. */
export const hasEtcdData = (config: ClusterConfig): boolean => existsSync(join(config.rootDir, 'etcd/member'));
