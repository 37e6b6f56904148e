import type { ApiAccess, ApiAnswer } from '../cluster/api-request.ts';
import { apiRequest, messageOf } from '../cluster/api-request.ts';
import { clusterInfo, signaturePrefix } from '../cluster/publish-cluster.ts';
import { caCertificateHash, isSignedWith, type TokenParts } from '../token/bootstrap-token.ts';
import { UserError } from '../user-error.ts';

/** What is known of a cluster once its answer is proved: by the token, and by the pin of its CA. */
export interface DiscoveredCluster {
  readonly ca: string;
  /** URLs that answered with a certificate of that CA; the one that was named first. */
  readonly servers: readonly string[];
  /** Of this host, towards the server. */
  readonly localAddress: string;
  /** How far this host's clock is ahead of the server's. */
  readonly clockAheadMs: number;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const requestTimeoutMs = 5_000;
const signaturePollMs = 100;

/** `host:port`, `[2001:db8::1]:6443`; the scheme is always https. Throws UserError. */
export function parseEndpoint(text: string): Endpoint {
  const match = /^(?:https:\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})\/?$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65_535) {
    throw new UserError(`"${text}" is not the address of an apiserver; give host:port, such as 192.168.1.10:6443.`, 'usage');
  }
  return { host: match[1] ?? '', port };
}

export const urlOf = (endpoint: Endpoint): string => `https://${endpoint.host}:${endpoint.port}`;

/** Why nobody could be talked to, in words for people. */
function unreachable(url: string, error: unknown): UserError {
  const where = url.replace('https://', '');
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' || /wrong version number|packet length too long/i.test(message))
    return new UserError(`What listens at ${where} does not speak TLS, so it is no apiserver. Its port is usually 6443.`, 'unreachable');
  const reasons: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'the connection is refused',
    ECONNRESET: 'the connection is reset',
    ETIMEDOUT: `there is no answer within ${requestTimeoutMs / 1000} s`,
    EHOSTUNREACH: 'there is no route to the host',
    ENETUNREACH: 'there is no route to the network',
    ENOTFOUND: 'the name is not known',
    EAI_AGAIN: 'the name can’t be resolved',
  };
  return new UserError(`No apiserver can be reached at ${where}: ${reasons[code] ?? message}.`, 'unreachable');
}

async function ask(access: ApiAccess, path: string): Promise<ApiAnswer> {
  try {
    return await apiRequest(access, { path, timeoutMs: requestTimeoutMs });
  } catch (error) {
    throw unreachable(access.servers[0] ?? '', error);
  }
}

const infoPath = `/api/v1/namespaces/${clusterInfo.namespace}/configmaps/${clusterInfo.name}`;

/** The data of cluster-info, with the answer it came in. Throws UserError. */
async function readClusterInfo(access: ApiAccess): Promise<{ data: Readonly<Record<string, string>>; answer: ApiAnswer }> {
  const answer = await ask(access, infoPath);
  let body: { kind?: string; message?: string; data?: Record<string, string> };
  try {
    body = JSON.parse(answer.body) as typeof body;
  } catch {
    body = {};
  }
  if (body.kind === 'ConfigMap' && answer.code === 200) return { data: body.data ?? {}, answer };
  const where = answer.server.replace('https://', '');
  if (body.kind !== 'Status') throw new UserError(`What listens at ${where} does not answer like an apiserver.`, 'unreachable');
  if (answer.code === 404)
    throw new UserError(`The cluster at ${where} is not prepared for others to join; run there: skiff token create`, 'refused');
  throw new UserError(`The apiserver at ${where} does not tell about its cluster: ${messageOf(answer)}`, 'refused');
}

/** The signed kubeconfig. A token that was just made is signed with a moment later. */
async function readSigned(access: ApiAccess, token: TokenParts, waitMs: number): Promise<{ kubeconfig: string; answer: ApiAnswer }> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const { data, answer } = await readClusterInfo(access);
    const signature = data[signaturePrefix + token.id];
    const kubeconfig = data['kubeconfig'] ?? '';
    if (signature !== undefined) {
      if (isSignedWith(token, kubeconfig, signature)) return { kubeconfig, answer };
      throw new UserError(
        `The token is wrong: its secret is not the one that the cluster knows for "${token.id}" (or somebody in between has changed the answer).`,
        'refused',
      );
    }
    if (Date.now() > deadline)
      throw new UserError(
        `The cluster knows no token "${token.id}", or it has expired. Make a new one there: skiff token create`,
        'refused',
      );
    await new Promise((r) => setTimeout(r, signaturePollMs));
  }
}

function parseClusterInfo(kubeconfig: string): { ca: string; server: string } {
  let config: { clusters?: { cluster?: { server?: string; 'certificate-authority-data'?: string } }[] };
  try {
    config = JSON.parse(kubeconfig) as typeof config;
  } catch {
    config = {}; // not written by Skiff
  }
  const cluster = config.clusters?.[0]?.cluster;
  const ca = Buffer.from(cluster?.['certificate-authority-data'] ?? '', 'base64').toString('utf8');
  if (cluster?.server === undefined || !ca.includes('BEGIN CERTIFICATE'))
    throw new UserError('The cluster’s description (kube-public/cluster-info) names no server or no CA.', 'refused');
  return { ca, server: cluster.server };
}

const isWrongName = (error: unknown): boolean => (error as { code?: string }).code === 'ERR_TLS_CERT_ALTNAME_INVALID';

/** The URLs, of those that may be one server's, that prove to be it. Throws UserError when none does. */
async function verifyServers(urls: readonly string[], ca: string): Promise<readonly string[]> {
  const good: string[] = [];
  let failure: unknown;
  for (const url of urls) {
    try {
      await apiRequest({ servers: [url], ca }, { path: '/version', timeoutMs: requestTimeoutMs });
      good.push(url);
    } catch (error) {
      failure ??= error;
    }
  }
  if (good.length > 0) return good;
  if (isWrongName(failure))
    throw new UserError(
      `The apiserver’s certificate is not good for ${urls[0]?.replace('https://', '') ?? ''}: ${(failure as Error).message}`,
      'refused',
    );
  throw new UserError(
    `The server does not prove to be of the cluster whose CA it served: ${failure instanceof Error ? failure.message : String(failure)}`,
    'refused',
  );
}

/**
 * Learns whom to trust from a server that nobody vouches for yet (KEP-1314's flow, as kubeadm's): its description of the cluster has to
 * be signed with the token, the CA in it has to be one of `pins`, and the server then has to prove that it is of this CA. Nothing
 * secret is sent before. Without pins the signature alone vouches. Throws UserError.
 */
export async function discoverCluster(
  endpoint: Endpoint,
  token: TokenParts,
  o: { readonly pins: readonly string[]; readonly signatureWaitMs: number },
): Promise<DiscoveredCluster> {
  const named = urlOf(endpoint);
  const { kubeconfig, answer } = await readSigned({ servers: [named], ca: undefined }, token, o.signatureWaitMs);
  const clockAheadMs = Date.now() - answer.serverTimeMs;
  const { ca, server } = parseClusterInfo(kubeconfig);
  if (o.pins.length > 0 && !o.pins.includes(caCertificateHash(ca))) {
    throw new UserError(
      `The cluster’s CA is not the one that was pinned: its hash is ${caCertificateHash(ca)}. Either --discovery-token-ca-cert-hash is of another cluster, or ${named.replace('https://', '')} is not who it says.`,
      'refused',
    );
  }
  return {
    ca,
    servers: await verifyServers([...new Set([named, server])], ca),
    localAddress: answer.localAddress,
    clockAheadMs: Number.isNaN(clockAheadMs) ? 0 : clockAheadMs,
  };
}
