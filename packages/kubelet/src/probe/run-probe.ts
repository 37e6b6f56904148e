import net from 'node:net';
import type { Probe } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { childSignal } from '@skiff/component-base';
import { isRuntimeError, type RuntimeService } from '@skiff/cri';
import type { ContainerSpec } from '../pod/pod-snapshot.ts';
import { checkGrpcHealth } from './grpc-health.ts';
import { dialError, httpGet, resolvePort } from './http-get.ts';

export type ProbeResult =
  | { readonly outcome: 'success' | 'warning' | 'failure'; readonly output: string }
  /** It could not be found out. */
  | { readonly outcome: 'unknown'; readonly output: string };

export interface ProbeTarget {
  readonly container: ContainerSpec;
  readonly containerId: string;
  readonly podIP: string;
}

const maxOutputCharacters = 10 * 1024;

const connectTcp = (host: string, port: number, timeoutMs: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port });
    const address = `${host}:${port}`;
    const finish = (failure: string | undefined): void => {
      socket.destroy();
      resolve(failure);
    };
    socket.setTimeout(timeoutMs, () => finish(`dial tcp ${address}: i/o timeout`));
    socket.once('connect', () => finish(undefined));
    socket.once('error', (error) => finish(dialError(error, address)));
  });

async function runExec(command: readonly string[], target: ProbeTarget, o: ProbeRun): Promise<ProbeResult> {
  try {
    const { exitCode, stdout, stderr } = await o.runtime.execSync(target.containerId, command, {
      timeoutMs: o.timeoutMs,
      signal: o.signal,
    });
    const output = Buffer.concat([stdout, stderr]).toString().slice(0, maxOutputCharacters);
    return { outcome: exitCode === 0 ? 'success' : 'failure', output };
  } catch (error) {
    if (isRuntimeError(error, 'timeout'))
      return { outcome: 'failure', output: `command timed out: "${command.join(' ')}" timed out after ${o.timeoutMs / 1000}s` };
    throw error;
  }
}

export interface ProbeRun {
  readonly runtime: RuntimeService;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Carries out one probe. Never throws unless `signal` aborts. */
export async function runProbe(probe: DeepReadonly<Probe>, target: ProbeTarget, o: ProbeRun): Promise<ProbeResult> {
  const { container, podIP } = target;
  const judge = (failure: string | undefined): ProbeResult =>
    failure === undefined ? { outcome: 'success', output: '' } : { outcome: 'failure', output: failure };
  try {
    if (probe.exec !== undefined) return await runExec(probe.exec.command ?? [], target, o);
    if (probe.httpGet !== undefined) {
      using limit = childSignal(o.signal, o.timeoutMs);
      try {
        const answer = await httpGet(probe.httpGet, { container, podIP, userAgent: 'kube-probe/1.36', signal: limit.signal });
        if (answer.redirected) return { outcome: 'warning', output: `Probe terminated redirects, Response body: ${answer.body}` };
        return answer.code >= 200 && answer.code < 400
          ? { outcome: 'success', output: answer.body }
          : { outcome: 'failure', output: `HTTP probe failed with statuscode: ${answer.code}` };
      } catch (error) {
        o.signal.throwIfAborted();
        return { outcome: 'failure', output: (error as Error).message };
      }
    }
    if (probe.tcpSocket !== undefined) {
      const host = probe.tcpSocket.host === undefined || probe.tcpSocket.host === '' ? podIP : probe.tcpSocket.host;
      return judge(await connectTcp(host, resolvePort(probe.tcpSocket.port, container), o.timeoutMs));
    }
    if (probe.grpc !== undefined) {
      const host = podIP.includes(':') ? `[${podIP}]` : podIP;
      return judge(await checkGrpcHealth(`${host}:${probe.grpc.port}`, probe.grpc.service ?? '', o.timeoutMs));
    }
    return { outcome: 'unknown', output: `missing probe handler for ${container.name}` };
  } catch (error) {
    o.signal.throwIfAborted();
    return { outcome: 'unknown', output: (error as Error).message };
  }
}
