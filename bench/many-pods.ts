import { existsSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { Bench, Row } from './api-phases.ts';
import { deploymentOf, follow, isReady } from './pod-phases.ts';

/** As many as a node takes when nobody says otherwise. */
const count = 110;
const betweenMs = 20;

interface Listening {
  /** The longest since the last call, ms. */
  longest(): number;
  close(): Promise<void>;
}

/** How long the first thread of a process has waited for a processor so far, ms; 0 where the kernel doesn't count it. */
function waitedMs(pid: number): number {
  const file = `/proc/${pid}/task/${pid}/schedstat`;
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split(' ')[1]) / 1e6 : 0;
}

/**
 * Asks the kubelet for nothing much, again and again, on one connection: how long it answers nobody is how long its event loop is held. What
 * it or this process waited for a processor meanwhile is the machine's doing, and left out.
 */
function listenTo(kubelet: { readonly pid: number; readonly healthPort: number }): Listening {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port: kubelet.healthPort, path: '/healthz', agent }, (res) => {
        res.resume();
        res.on('end', resolve);
        res.on('error', reject);
      });
      req.on('error', reject);
      req.end();
    });
  const ownMs = (): number => performance.now() - waitedMs(kubelet.pid) - waitedMs(process.pid);
  let longest = 0;
  let over = false;
  const asking = (async (): Promise<void> => {
    while (!over) {
      const asked = ownMs();
      await ask();
      longest = Math.max(longest, ownMs() - asked);
      await new Promise((r) => setTimeout(r, betweenMs));
    }
  })();
  // What goes wrong is told by close().
  asking.catch(() => undefined);
  return {
    longest: () => {
      const said = longest;
      longest = 0;
      return said;
    },
    close: async () => {
      over = true;
      await asking.finally(() => agent.destroy());
    },
  };
}

/** A node as full as it gets, all at once. `healthPort`: the kubelet's. */
export async function manyPods(bench: Bench, image: string, healthPort: number): Promise<readonly Row[]> {
  const path = `/apis/apps/v1/namespaces/${bench.namespace}/deployments`;
  const f = await follow(bench, 'full');
  const kubelet = listenTo({ pid: bench.pids()['kubelet'] ?? 0, healthPort });
  const started = performance.now();
  await bench.client.json('POST', path, deploymentOf('full', count, image));
  const ready = (await f.until((pods) => [...pods.values()].filter(isReady).length === count)) - started;
  const whileStarting = kubelet.longest();
  const removed = performance.now();
  await bench.client.json('DELETE', `${path}/full?propagationPolicy=Background`);
  const gone = (await f.until((pods) => pods.size === 0)) - removed;
  const whileEnding = kubelet.longest();
  await kubelet.close();
  f.close();
  const held = (when: string, value: number): Row => ({
    name: `  the kubelet's event loop held, ${when}`,
    value,
    unit: 'ms at most',
    better: 'less',
  });
  return [
    { name: `Deployment of ${count}: all Ready`, value: ready / 1000, unit: 's', better: 'less' },
    held('starting', whileStarting),
    { name: `Deployment of ${count}: all gone`, value: gone / 1000, unit: 's', better: 'less' },
    held('ending', whileEnding),
  ];
}
