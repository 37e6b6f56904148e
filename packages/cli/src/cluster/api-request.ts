import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { dirname, resolve } from 'node:path';
import type { ClusterConfig } from '../config.ts';
import { kubeconfigPath } from '../supervisor/processes.ts';

/** How to call an apiserver; all PEM. Without a certificate and a token the caller is anonymous. */
export interface ApiAccess {
  readonly servers: readonly string[];
  /** undefined: the server is not checked; for what is proved in another way. */
  readonly ca: string | undefined;
  readonly certificate?: { readonly cert: string; readonly key: string };
  readonly token?: string;
}
export interface ApiAnswer {
  readonly code: number;
  readonly body: string;
  readonly server: string;
  /** The server's clock, milliseconds since the epoch; NaN when it does not tell. */
  readonly serverTimeMs: number;
  /** The address of this host that the server sees, where nothing translates it. */
  readonly localAddress: string;
}

interface KubeconfigOfSkiff {
  clusters: {
    cluster: { server: string; 'certificate-authority-data': string; extensions?: { name: string; extension: { servers: string[] } }[] };
  }[];
  users: {
    user: { 'client-certificate-data'?: string; 'client-key-data'?: string; 'client-certificate'?: string; 'client-key'?: string };
  }[];
}

const decode = (data: string | undefined): string => Buffer.from(data ?? '', 'base64').toString('utf8');

/** Reads a kubeconfig that Skiff itself wrote. Throws when it is none or a file it names is absent. */
export function readAccess(path: string): ApiAccess {
  const config = JSON.parse(readFileSync(path, 'utf8')) as KubeconfigOfSkiff;
  const cluster = config.clusters[0]?.cluster;
  const user = config.users[0]?.user;
  if (cluster === undefined || user === undefined) throw new Error(`${path} is not a kubeconfig of Skiff`);
  const file = (name: string | undefined): string => readFileSync(resolve(dirname(path), name ?? ''), 'utf8');
  const certificate =
    user['client-certificate-data'] === undefined
      ? { cert: file(user['client-certificate']), key: file(user['client-key']) }
      : { cert: decode(user['client-certificate-data']), key: decode(user['client-key-data']) };
  const further = cluster.extensions?.find((e) => e.name === 'skiff.io/servers')?.extension.servers ?? [];
  return { servers: [...new Set([cluster.server, ...further])], ca: decode(cluster['certificate-authority-data']), certificate };
}

interface ApiCall {
  readonly path: string;
  /** GET when absent. */
  readonly method?: string;
  readonly body?: unknown;
  /** For the whole answer of one server. Default 15 s: a machine on which everything starts at once may be slow. */
  readonly timeoutMs?: number;
}

const answerMs = 15_000;
/** Where there are others to turn to, a server that can't be reached is soon given up. */
const connectMs = 3_000;

const answerLimitBytes = 8 * 1024 * 1024;

class NoAnswer extends Error {
  readonly code = 'ETIMEDOUT';
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs / 1000} s`);
  }
}

function callServer(access: ApiAccess, server: string, call: ApiCall & { readonly connectMs?: number }): Promise<ApiAnswer> {
  const timeoutMs = call.timeoutMs ?? answerMs;
  return new Promise((resolve, reject) => {
    const req = request(
      `${server}${call.path}`,
      {
        method: call.method ?? 'GET',
        ...(access.ca === undefined ? { rejectUnauthorized: false } : { ca: access.ca }),
        // A connection of its own: another call may trust differently.
        agent: false,
        ...access.certificate,
        // It takes whole milliseconds only.
        signal: AbortSignal.timeout(Math.ceil(timeoutMs)),
        headers: {
          accept: 'application/json',
          'user-agent': 'skiff',
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(access.token === undefined ? {} : { authorization: `Bearer ${access.token}` }),
        },
      },
      (res) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        const localAddress = res.socket.localAddress ?? '';
        res.on('data', (c: Buffer) => {
          chunks.push(c);
          bytes += c.length;
          if (bytes > answerLimitBytes) req.destroy(new Error('the answer is too long'));
        });
        res.on('end', () =>
          resolve({
            code: res.statusCode ?? 0,
            body: Buffer.concat(chunks).toString(),
            server,
            serverTimeMs: Date.parse(res.headers.date ?? ''),
            localAddress,
          }),
        );
        res.on('error', reject);
      },
    );
    if (call.connectMs !== undefined) {
      const { connectMs: ms } = call;
      req.once('socket', (socket) => {
        const timer = setTimeout(() => req.destroy(new NoAnswer(ms)), ms);
        for (const event of ['secureConnect', 'close']) socket.once(event, () => clearTimeout(timer));
      });
    }
    req.on('error', (error) => reject(error.name === 'TimeoutError' || error.name === 'AbortError' ? new NoAnswer(timeoutMs) : error));
    req.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  });
}

/**
 * One call of the API, on the first server that answers. Light on purpose: `up` and `join` ask a few times and must not load a whole
 * client. Throws when nobody answers.
 */
export async function apiRequest(access: ApiAccess, call: ApiCall): Promise<ApiAnswer> {
  let failure: unknown;
  for (const [i, server] of access.servers.entries()) {
    const isLast = i === access.servers.length - 1;
    try {
      return await callServer(access, server, { ...call, ...(isLast ? {} : { connectMs }) });
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure instanceof Error ? failure : new Error(String(failure));
}

const againMs = 1_000;
const tryMs = 10_000;

/**
 * As `apiRequest`, for what may well be done twice: asked again for `withinMs` while nobody answers or the servers have trouble (5xx, 429). Beside
 * a host that has just gone, an apiserver may wait for that host's etcd and not know what came of a write.
 */
export async function persistentRequest(
  access: ApiAccess,
  call: ApiCall,
  o: { readonly withinMs?: number; readonly request?: typeof apiRequest } = {},
): Promise<ApiAnswer> {
  const { withinMs = 30_000, request: ask = apiRequest } = o;
  const endMs = performance.now() + withinMs;
  for (;;) {
    const left = endMs - performance.now();
    try {
      const answer = await ask(access, { ...call, timeoutMs: Math.max(Math.min(left, tryMs), againMs) });
      if ((answer.code < 500 && answer.code !== 429) || left < againMs) return answer;
    } catch (error) {
      if (left < againMs) throw error;
    }
    await new Promise((r) => setTimeout(r, againMs));
  }
}

/** Who this host is to the API by itself: the administrator on a control plane, else its kubelet. */
export const hostAccess = (config: ClusterConfig): ApiAccess =>
  readAccess(kubeconfigPath(config, config.role === 'control-plane' ? 'admin' : 'kubelet'));

/** The message of an error answer, which is a Status; a proxy's may be plain text. */
export function messageOf(answer: ApiAnswer): string {
  try {
    return (JSON.parse(answer.body) as { message?: string }).message ?? `code ${answer.code}`;
  } catch {
    return answer.body.trim().slice(0, 200) || `code ${answer.code}`;
  }
}

export interface NodeFacts {
  readonly spec?: { readonly taints?: readonly { readonly key: string; readonly effect: string }[] };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
      readonly lastHeartbeatTime?: string;
    }[];
  };
}
export interface NodeReadiness {
  readonly ready: boolean;
  readonly why: string;
  /** When the node says it has last reported; '': never. Absent when nobody could be asked. */
  readonly heartbeat?: string;
}
export interface ReadinessOrder {
  /** What the node said before does not count; milliseconds since the epoch, 0: whatever it said. */
  readonly sinceMs?: number;
  /** The heartbeat of an earlier look that found no report yet: another one is a report, though the clock was set back meanwhile. */
  readonly notHeartbeat?: string | undefined;
  /** Ready is not enough: the control plane has to have seen it, so that pods may be placed there. */
  readonly forPods?: boolean;
}

/** One of many looks. */
const lookMs = 3_000;
/** Taints that say what the Ready condition said when the controller-manager last looked. */
const readinessTaints: ReadonlySet<string> = new Set(['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']);

/** What a Node says of itself. */
export function judgeNode(node: NodeFacts, { sinceMs = 0, notHeartbeat, forPods = false }: ReadinessOrder): NodeReadiness {
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  const heartbeat = ready?.lastHeartbeatTime ?? '';
  const no = (why: string): NodeReadiness => ({ ready: false, why, heartbeat });
  if (ready?.status !== 'True') return no(ready?.message ?? 'the node has no Ready condition yet');
  // Heartbeats are whole seconds, by this host's clock; a kubelet that starts sends one with its first report.
  const isNew = Date.parse(heartbeat) >= Math.floor(sinceMs / 1000) * 1000 || (notHeartbeat !== undefined && heartbeat !== notHeartbeat);
  if (sinceMs > 0 && !isNew) return no('the kubelet has not reported yet');
  const taint = forPods ? node.spec?.taints?.find((t) => readinessTaints.has(t.key)) : undefined;
  if (taint !== undefined) return no(`the controller-manager has not taken away its taint ${taint.key}:${taint.effect} yet`);
  return { ready: true, why: ready.message ?? '', heartbeat };
}

/** Whether the node of this host is Ready, with what it says if not. */
export async function nodeReadiness(config: ClusterConfig, o: ReadinessOrder = {}): Promise<NodeReadiness> {
  let answer: ApiAnswer;
  try {
    answer = await apiRequest(hostAccess(config), { path: `/api/v1/nodes/${config.nodeName}`, timeoutMs: lookMs });
  } catch (error) {
    return { ready: false, why: `the apiserver does not answer yet (${error instanceof Error ? error.message : String(error)})` };
  }
  if (answer.code === 404)
    return { ready: false, why: 'the cluster has no such node: it was deleted, or the kubelet has not registered it yet', heartbeat: '' };
  if (answer.code !== 200) return { ready: false, why: `the apiserver answers with ${answer.code}: ${messageOf(answer)}` };
  return judgeNode(JSON.parse(answer.body) as NodeFacts, o);
}
