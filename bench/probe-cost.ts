import { fork } from 'node:child_process';
import { once, setMaxListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Probe } from '@skiff/api';
import type { RuntimeService } from '@skiff/cri';
import { runProbe } from '../packages/kubelet/src/probe/run-probe.ts';
import type { Row } from './api-phases.ts';

const probes = 3000;
const atOnce = 16;

/** What the kubelet's probes cost, in CPU of this process alone: the servers are in another. Each makes a connection of its own. */
export async function probeCost(): Promise<readonly Row[]> {
  const server = fork(fileURLToPath(new URL('probe-server.ts', import.meta.url)));
  try {
    const [ports] = (await once(server, 'message')) as [{ web: number; grpc: number }];
    const rows: Row[] = [];
    rows.push(await measure('http', { httpGet: { port: ports.web, path: '/' } }));
    rows.push(await measure('tcp', { tcpSocket: { port: ports.web } }));
    rows.push(await measure('grpc', { grpc: { port: ports.grpc } }));
    return rows;
  } finally {
    server.disconnect();
  }
}

async function measure(kind: string, probe: Probe): Promise<Row> {
  const target = { container: { name: 'c' }, containerId: '', podIP: '127.0.0.1' } as unknown as Parameters<typeof runProbe>[1];
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  // Exec probes alone ask the runtime.
  const o = { runtime: undefined as unknown as RuntimeService, timeoutMs: 10_000, signal };
  const several = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const result = await runProbe(probe, target, o);
      if (result.outcome !== 'success') throw new Error(`${kind} probe: ${result.output}`);
    }
  };
  await several(300);
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: atOnce }, () => several(probes / atOnce)));
  const used = process.cpuUsage(before);
  return {
    name: `CPU of 100 ${kind} probes a second`,
    value: ((used.user + used.system) / 1000 / probes / 10) * 100,
    unit: '% of a core',
    better: 'less',
  };
}
