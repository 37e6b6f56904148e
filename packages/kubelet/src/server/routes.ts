import type { IncomingMessage, ServerResponse } from 'node:http';
import { childSignal, renderFlagz, renderStatusz, takesText } from '@skiff/component-base';
import { isRuntimeError } from '@skiff/cri';
import type { KubeletParts } from '../kubelet.ts';
import type { PodWorker } from '../pod/pod-worker.ts';
import { chooseLogContainer, LogRequestError, parseLogQuery, streamLog } from './container-logs.ts';
import type { CpuRates } from '../stats/cpu-rate.ts';
import { cadvisorMetrics } from './cadvisor-metrics.ts';
import { claimMetrics, resourceMetrics } from './metrics-text.ts';
import { kubeletVersion } from '../version.ts';
import { serveLocalVolume } from './local-volume-routes.ts';
import { type NodeLogAccess, serveNodeLogs } from './node-log-routes.ts';
import { renderSummary } from './summary.ts';

/** An answer with a text, as upstream's kubelet gives. */
export class HttpError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly parts: KubeletParts;
  /** What the process was started with, for /configz. */
  readonly configuration: object;
  readonly node: NodePages;
  readonly rates: CpuRates;
  readonly signal: AbortSignal;
}

/** What the server tells of the process and its machine. */
export interface NodePages {
  readonly logs: NodeLogAccess;
  /** The command line, with defaults. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly startedAtMs: number;
}

interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly pattern: RegExp;
  handle(x: Exchange, match: RegExpExecArray): Promise<void>;
}

const text = (x: Exchange, body: string, type = 'text/plain; charset=utf-8'): void => {
  x.response.writeHead(200, { 'Content-Type': type });
  x.response.end(body);
};
const json = (x: Exchange, body: unknown): void => text(x, JSON.stringify(body), 'application/json');

export function findPod(parts: KubeletParts, namespace: string, name: string, uid?: string): PodWorker {
  const worker = parts.pods.find(namespace, name);
  if (worker === undefined || (uid !== undefined && uid !== '' && worker.pod.metadata.uid !== uid)) {
    throw new HttpError(404, `pod "${name}_${namespace}" does not exist`);
  }
  return worker;
}

/** The running container of that name. Throws 404. */
export function findRunning(worker: PodWorker, container: string): string {
  const found = worker.observed.containers.find((c) => c.metadata.name === container && c.state === 'running');
  if (found === undefined) throw new HttpError(404, `container not found ("${container}")`);
  return found.id;
}

const prometheusText = 'text/plain; version=0.0.4; charset=utf-8';
const decode = (part: string | undefined): string => decodeURIComponent(part ?? '');

async function containerLogs(x: Exchange, match: RegExpExecArray): Promise<void> {
  const [, namespace, name, container] = match.map((m) => decode(m));
  const worker = findPod(x.parts, namespace ?? '', name ?? '');
  const { context } = x.parts;
  let id: string;
  let query: ReturnType<typeof parseLogQuery>;
  try {
    query = parseLogQuery(x.url.searchParams, context.clock.now());
    const status = context.status.get(worker.pod.metadata.uid) ?? worker.pod.status;
    id = chooseLogContainer(name ?? '', status, container ?? '', query.previous);
  } catch (error) {
    if (error instanceof LogRequestError) throw new HttpError(400, error.message);
    throw error;
  }
  using child = childSignal(x.signal);
  x.response.once('close', () => child.abort(new Error('the client went away')));
  // Sent with the first line: until then it may still become an error, which a runtime that doesn't answer is.
  x.response.statusCode = 200;
  x.response.setHeader('Content-Type', 'text/plain');
  x.response.setHeader('Transfer-Encoding', 'chunked');
  if (query.follow) x.response.flushHeaders();
  try {
    await streamLog(context.runtime, id, { query, response: x.response, signal: child.signal });
  } catch (error) {
    if (!isRuntimeError(error, 'not-found')) throw error;
    x.response.write(`unable to retrieve container logs for ${context.node.runtimeName}://${id}`);
  }
  x.response.end();
}

async function runCommand(x: Exchange, match: RegExpExecArray): Promise<void> {
  const [, namespace, name, , uid, container] = match.map((m) => decode(m));
  const id = findRunning(findPod(x.parts, namespace ?? '', name ?? '', uid), container ?? '');
  const command = x.url.searchParams.getAll('cmd').flatMap((c) => c.split(' '));
  const result = await x.parts.context.runtime.execSync(id, command, { timeoutMs: 60_000, signal: x.signal });
  text(x, Buffer.concat([result.stdout, result.stderr]).toString());
}

const pagePaths = [
  '/configz',
  '/flagz',
  '/healthz',
  '/metrics',
  '/metrics/cadvisor',
  '/metrics/probes',
  '/metrics/resource',
  '/pods',
  '/statusz',
];

/** Pages for people. */
function page(x: Exchange, body: string): void {
  if (!takesText(x.request.headers.accept)) throw new HttpError(406, 'only the following media types are accepted: text/plain');
  text(x, body);
}
/** What upstream has and can be turned off there; here it never is on. */
const disabled = (message: string): Promise<never> => Promise.reject(new HttpError(405, message));

const localVolumePattern = /^\/localVolumes\/([^/]+)$/;

/** Everything that does not take the connection over. */
export const routes: readonly Route[] = [
  { method: 'GET', pattern: /^\/healthz(?:\/(?:ping|log|syncloop))?$/, handle: async (x) => text(x, 'ok') },
  {
    method: 'GET',
    pattern: /^\/pods\/?$/,
    handle: async (x) => {
      const items = x.parts.pods.pods().map((pod) => ({ ...pod, status: x.parts.context.status.get(pod.metadata.uid) ?? pod.status }));
      json(x, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
    },
  },
  {
    method: 'GET',
    pattern: /^\/runningpods\/?$/,
    handle: async (x) => {
      const items = x.parts.pods
        .workers()
        .filter((w) => w.observed.containers.some((c) => c.state === 'running'))
        .map(({ pod, observed }) => ({
          metadata: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
          spec: {
            containers: observed.containers.filter((c) => c.state === 'running').map((c) => ({ name: c.metadata.name, image: c.image })),
          },
          status: {},
        }));
      json(x, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
    },
  },
  { method: 'GET', pattern: /^\/logs(?:\/(.*))?$/, handle: (x, match) => serveNodeLogs(x, x.node.logs, decode(match[1])) },
  {
    method: 'GET',
    pattern: /^\/statusz$/,
    handle: async (x) => {
      const { startedAtMs } = x.node;
      const version = kubeletVersion.slice(1).split('+')[0] ?? '';
      page(x, renderStatusz({ component: 'kubelet', startedAtMs, nowMs: x.parts.context.clock.now(), version, paths: pagePaths }));
    },
  },
  { method: 'GET', pattern: /^\/flagz$/, handle: async (x) => page(x, renderFlagz('kubelet', x.node.flags)) },
  ...(['GET', 'POST', 'PUT'] as const).flatMap((method): Route[] => [
    { method, pattern: /^\/debug\/pprof(?:\/.*)?$/, handle: () => disabled('profiling endpoint is disabled.') },
    { method, pattern: /^\/debug\/flags\/v$/, handle: () => disabled('flags endpoint is disabled.') },
  ]),
  { method: 'GET', pattern: /^\/configz$/, handle: async (x) => json(x, { kubeletconfig: x.configuration }) },
  {
    method: 'GET',
    pattern: /^\/metrics$/,
    handle: async (x) => text(x, `${await x.parts.context.metrics.render()}${claimMetrics(await x.parts.claimStats())}`, prometheusText),
  },
  {
    method: 'GET',
    pattern: /^\/metrics\/resource$/,
    handle: async (x) => text(x, await resourceMetrics(x.parts), prometheusText),
  },
  {
    method: 'GET',
    pattern: /^\/metrics\/cadvisor$/,
    handle: async (x) => text(x, await cadvisorMetrics(x.parts), prometheusText),
  },
  {
    method: 'GET',
    pattern: /^\/metrics\/probes$/,
    handle: async (x) => text(x, await x.parts.context.metrics.renderProbes(), prometheusText),
  },
  {
    method: 'GET',
    pattern: /^\/stats\/summary$/,
    handle: async (x) => {
      const onlyCpuAndMemory = x.url.searchParams.get('only_cpu_and_memory') === 'true';
      json(x, await renderSummary(x.parts, { onlyCpuAndMemory, rates: x.rates }));
    },
  },
  {
    method: 'POST',
    pattern: /^\/checkpoint\/([^/]+)\/([^/]+)\/([^/]+)$/,
    handle: async (x, match) => {
      const [, namespace, name, container] = match.map((m) => decode(m));
      findRunning(findPod(x.parts, namespace ?? '', name ?? ''), container ?? '');
      throw new HttpError(
        404,
        `checkpointing of ${namespace}/${name}/${container} failed (the container runtime can't checkpoint containers)`,
      );
    },
  },
  { method: 'GET', pattern: /^\/containerLogs\/([^/]+)\/([^/]+)\/([^/]+)$/, handle: containerLogs },
  { method: 'PUT', pattern: localVolumePattern, handle: (x, match) => serveLocalVolume(x, decode(match[1])) },
  { method: 'DELETE', pattern: localVolumePattern, handle: (x, match) => serveLocalVolume(x, decode(match[1])) },
  { method: 'POST', pattern: /^\/run\/([^/]+)\/([^/]+)(\/([^/]+))?\/([^/]+)$/, handle: runCommand },
];
