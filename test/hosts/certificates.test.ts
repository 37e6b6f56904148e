import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCertificate, readCertificateFile } from '@skiff/component-base';
import { eventually } from '../e2e/support/cluster.ts';
import type { Host } from '../lab/host.ts';
import { startCluster, type HostsCluster } from './support/cluster.ts';
import { figure, runningPods, seconds } from './support/observe.ts';
import { deployment } from './support/workloads.ts';

/** As short as lets processes notice a new file (every three seconds) between renewal and end. */
const lifetimeSeconds = 60;
const renewals = 2;

let cluster: HostsCluster;
let h1: Host;
let h2: Host;
const pki = (host: Host, name: string): string => host.path(`/var/lib/skiff/pki/${name}`);

beforeAll(async () => {
  cluster = await startCluster({ name: 'certs', hosts: 2, up: [`--certificate-lifetime=${lifetimeSeconds}s`] });
  h1 = cluster.lab.host(0);
  h2 = cluster.lab.host(1);
});
afterAll(() => cluster?.close());

const files = (): Readonly<Record<string, () => number | undefined>> => ({
  'apiserver serving': () => readCertificate(readFileSync(pki(h1, 'apiserver.crt'), 'utf8')).notAfterMs,
  'apiserver to kubelets': () => readCertificate(readFileSync(pki(h1, 'apiserver-kubelet-client.crt'), 'utf8')).notAfterMs,
  'etcd serving': () => readCertificate(readFileSync(pki(h1, 'etcd/server.crt'), 'utf8')).notAfterMs,
  'controller-manager': () => readCertificateFile(pki(h1, 'controller-manager.pem'))?.notAfterMs,
  scheduler: () => readCertificateFile(pki(h1, 'scheduler.pem'))?.notAfterMs,
  'kubelet client': () => readCertificateFile(pki(h2, 'kubelet-client.pem'))?.notAfterMs,
  'kubelet serving': () => readCertificateFile(pki(h2, 'kubelet-serving.pem'))?.notAfterMs,
  proxy: () => readCertificateFile(pki(h2, 'proxy-client.pem'))?.notAfterMs,
});

interface Processes {
  readonly processes: Readonly<Record<string, { pid: number; restarts: number }>>;
}
const processesOf = (host: Host): unknown =>
  Object.entries((JSON.parse(readFileSync(host.path('/var/lib/skiff/run/supervisor.json'), 'utf8')) as Processes).processes).map(
    ([name, p]) => [name, p.pid, p.restarts],
  );

it('a cluster outlives its certificates: each is renewed several times, no process is restarted, all goes on', {
  timeout: 400_000,
}, async () => {
  await cluster.apply(deployment('web', 4));
  await cluster.kubectl('rollout status deployment/web --timeout=150s', { timeoutMs: 170_000 });
  const before = [processesOf(h1), processesOf(h2), await runningPods(h2, 'web')];
  const started = Date.now();
  const seen = new Map<string, Set<number>>();
  let looks = 0;
  /** What was not good when it was looked at. One failed look at the API is a server that reads its new certificate. */
  const violations: string[] = [];
  let failedLooks = 0;
  await eventually(
    `every certificate was renewed ${renewals} times`,
    async () => {
      for (const [name, endOf] of Object.entries(files())) {
        const ends = seen.get(name) ?? new Set();
        seen.set(name, ends);
        const end = endOf();
        // A node's own are there once they were signed.
        if (end === undefined) continue;
        ends.add(end);
        if (Math.max(...ends) <= Date.now())
          violations.push(`${name} has ended at ${new Date(end).toISOString()}, seen at ${new Date().toISOString()}`);
      }
      // Everything that a certificate is asked for: administrator, apiserver, etcd behind it, kubelet and the way to it.
      looks += 1;
      try {
        const nodes = await cluster.kubectl('get nodes --no-headers');
        if (nodes.match(/ Ready /g)?.length !== 2) violations.push(`nodes: ${nodes}`);
        const health = await cluster.kubectl('get --raw /api/v1/nodes/h2/proxy/healthz');
        if (health !== 'ok') violations.push(`the way to the kubelet: ${health}`);
      } catch (error) {
        failedLooks += 1;
        console.log(`a look that failed: ${String(error)}`);
      }
      const few = [...seen].filter(([, ends]) => ends.size <= renewals).map(([name, ends]) => `${name}: ${ends.size - 1}`);
      if (few.length > 0) throw new Error(`renewed less often: ${few.join(', ')}; ${violations.join(', ')}`);
      return true;
    },
    4 * lifetimeSeconds * 1000,
  );
  figure(
    `lifetimes of ${lifetimeSeconds} s lived through`,
    `${((Date.now() - started) / 1000 / lifetimeSeconds).toFixed(1)}, ${looks} looks, ${failedLooks} without an answer`,
  );
  expect(violations).toEqual([]);
  expect(failedLooks).toBeLessThanOrEqual(2);

  // Watches of all: a new replica is made, placed, run, and served.
  const scaled = performance.now();
  await cluster.kubectl('scale deployment/web --replicas=6');
  await cluster.kubectl('rollout status deployment/web --timeout=150s', { timeoutMs: 170_000 });
  figure('scaled up afterwards in', seconds(performance.now() - scaled));
  expect([processesOf(h1), processesOf(h2)]).toEqual(before.slice(0, 2));
  expect(await runningPods(h2, 'web')).toEqual(expect.arrayContaining(before[2] as string[]));

  // What the apiserver serves with is what lies on its disk.
  const served = await h2.ok('sh', ['-c', `echo | openssl s_client -connect ${h1.address}:6443 2>/dev/null | openssl x509`]);
  expect(Date.parse(new X509Certificate(served).validTo)).toBeGreaterThan(Date.now());
});
