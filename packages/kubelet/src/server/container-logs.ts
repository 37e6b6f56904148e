import type { ServerResponse } from 'node:http';
import type { PodStatus } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { RuntimeService } from '@skiff/cri';

export interface LogQuery {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  readonly sinceMs: number | undefined;
  readonly stream: 'All' | 'Stdout' | 'Stderr';
}

export class LogRequestError extends Error {}

const integer = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d+$/.test(text)) throw new LogRequestError(`invalid value for ${name}: ${text}`);
  return Number(text);
};
const flag = (query: URLSearchParams, name: string): boolean => ['true', '1', ''].includes(query.get(name) ?? 'false');

export function parseLogQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const sinceSeconds = integer(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime');
  const sinceMs =
    sinceSeconds === undefined ? (sinceTime === null || sinceTime === '' ? undefined : Date.parse(sinceTime)) : nowMs - sinceSeconds * 1000;
  if (sinceMs !== undefined && Number.isNaN(sinceMs)) throw new LogRequestError(`invalid value for sinceTime: ${sinceTime ?? ''}`);
  const stream = query.get('stream') ?? 'All';
  if (stream !== 'All' && stream !== 'Stdout' && stream !== 'Stderr') throw new LogRequestError(`invalid value for stream: ${stream}`);
  return {
    follow: flag(query, 'follow'),
    previous: flag(query, 'previous'),
    timestamps: flag(query, 'timestamps'),
    tailLines: integer(query, 'tailLines'),
    limitBytes: integer(query, 'limitBytes'),
    sinceMs,
    stream,
  };
}

/** The container whose log is meant, by what the pod's status says. Throws LogRequestError in upstream's words. */
export function chooseLogContainer(podName: string, status: DeepReadonly<PodStatus>, name: string, previous: boolean): string {
  const found = [
    ...(status.containerStatuses ?? []),
    ...(status.initContainerStatuses ?? []),
    ...(status.ephemeralContainerStatuses ?? []),
  ].find((s) => s.name === name);
  const what = `container "${name}" in pod "${podName}"`;
  if (found === undefined) throw new LogRequestError(`${what} is not available`);
  const last = found.lastState?.terminated?.containerID;
  const bare = (id: string): string => id.replace(/^[^:]+:\/\//, '');
  if (previous) {
    if (last === undefined || last === '') throw new LogRequestError(`previous terminated ${what} not found`);
    return bare(last);
  }
  if (found.state?.running !== undefined && found.containerID !== undefined) return bare(found.containerID);
  if (found.state?.terminated !== undefined) {
    const id = found.state.terminated.containerID ?? last;
    if (id === undefined || id === '') throw new LogRequestError(`${what} is terminated`);
    return bare(id);
  }
  if (last !== undefined && last !== '') return bare(last);
  const reason = found.state?.waiting?.reason;
  if (reason === 'ErrImagePull') throw new LogRequestError(`${what} is waiting to start: image can't be pulled`);
  if (reason === 'ImagePullBackOff') throw new LogRequestError(`${what} is waiting to start: trying and failing to pull image`);
  throw new LogRequestError(`${what} is waiting to start: ${reason ?? 'no logs yet'}`);
}

/** Writes a log as text; waits where the client is slow, and stops when it goes away. */
export async function streamLog(
  runtime: RuntimeService,
  id: string,
  o: { query: LogQuery; response: ServerResponse; signal: AbortSignal },
): Promise<void> {
  const { query, response, signal } = o;
  let left = query.limitBytes ?? Number.POSITIVE_INFINITY;
  const lines = runtime.containerLogs(id, {
    follow: query.follow,
    ...(query.tailLines === undefined ? {} : { tailLines: query.tailLines }),
    ...(query.sinceMs === undefined ? {} : { sinceMs: query.sinceMs }),
    signal,
  });
  for await (const l of lines) {
    if (query.stream !== 'All' && query.stream.toLowerCase() !== l.stream) continue;
    const whole = query.timestamps ? Buffer.concat([Buffer.from(`${l.time} `), l.line]) : l.line;
    const part = whole.length > left ? whole.subarray(0, left) : whole;
    left -= part.length;
    if (!response.write(part) && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          response.off('drain', go);
          response.off('close', go);
          resolve();
        };
        response.on('drain', go);
        response.on('close', go);
      });
    }
    if (left <= 0 || signal.aborted) return;
  }
}
