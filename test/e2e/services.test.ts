import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, eventually, type RunningCluster } from './support/cluster.ts';
import { get } from './support/http.ts';
import { testImages } from './support/images.ts';

let cluster: RunningCluster;
const ns = 'story-services';
const replicas = 10;
let clusterIP = '';
let nodePort = 0;

async function many(n: number, one: () => Promise<readonly string[]>): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let done = 0; done < n; ) {
    const batch = await Promise.all(Array.from({ length: Math.min(20, n - done) }, one));
    for (const [, pod = ''] of batch) counts.set(pod, (counts.get(pod) ?? 0) + 1);
    done += batch.length;
  }
  return counts;
}

beforeAll(async () => {
  cluster = connect(inject('place'));
  await cluster.kubectl(`create namespace ${ns}`);
  const manifest = {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web' },
        spec: {
          replicas,
          selector: { matchLabels: { app: 'web' } },
          template: {
            metadata: { labels: { app: 'web' } },
            spec: {
              containers: [
                {
                  name: 'web',
                  image: testImages.web1,
                  ports: [{ name: 'http', containerPort: 8080 }],
                  readinessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 1 },
                },
              ],
            },
          },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: {
          type: 'NodePort',
          selector: { app: 'web' },
          ports: [
            { name: 'http', port: 80, targetPort: 'http' },
            { name: 'udp', port: 81, targetPort: 8081, protocol: 'UDP' },
          ],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web-headless' },
        spec: { clusterIP: 'None', selector: { app: 'web' }, ports: [{ port: 8080 }] },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'client' },
        spec: { containers: [{ name: 'main', image: testImages.busybox, command: ['sleep', '3600'] }] },
      },
    ],
  };
  await cluster.kubectl(`apply -n ${ns} -f -`, { input: JSON.stringify(manifest) });
  await cluster.kubectl(`rollout status -n ${ns} deployment/web --timeout=120s`, { timeoutMs: 130_000 });
  await cluster.kubectl(`wait -n ${ns} pod/client --for=condition=Ready --timeout=120s`);
  clusterIP = await cluster.kubectl(`get service -n ${ns} web -o jsonpath={.spec.clusterIP}`);
  nodePort = Number(await cluster.kubectl(`get service -n ${ns} web -o jsonpath={.spec.ports[0].nodePort}`));
});
afterAll(async () => {
  await cluster.tryKubectl(`delete namespace ${ns} --wait=false`);
  cluster.client.close();
});

const inClient = async (script: string): Promise<string> => {
  const result = await cluster.tryKubectl(`exec -n ${ns} client -- sh -c '${script}'`, { timeoutMs: 280_000 });
  return result.stdout + result.stderr;
};

describe('a Deployment of 10 behind a Service', () => {
  it.each(['ClusterIP', 'NodePort', 'NodePort on localhost', 'DNS name'])(
    'answers 1,000 requests from the host through its %s, spread over all pods',
    async (how) => {
      const address = await cluster.kubectl('get nodes -o jsonpath={.items[0].status.addresses[0].address}');
      const dns = await cluster.kubectl('get service -n kube-system kube-dns -o jsonpath={.spec.clusterIP}');
      const urls: Readonly<Record<string, string>> = {
        ClusterIP: `http://${clusterIP}/`,
        NodePort: `http://${address}:${nodePort}/`,
        'NodePort on localhost': `http://127.0.0.1:${nodePort}/`,
        'DNS name': `http://web.${ns}.svc.cluster.local/`,
      };
      const one = (timeoutMs: number) => (): Promise<readonly string[]> => get(urls[how] ?? '', timeoutMs, dns);
      // Each way learns of the last pods at its own moment, shortly after they are ready.
      await eventually('all pods are reached', async () => (await many(200, one(5000))).size === replicas);
      const counts = await many(1000, one(30_000));
      expect([...counts.values()].reduce((a, b) => a + b)).toBe(1000);
      expect(counts.size).toBe(replicas);
      expect(Math.min(...counts.values())).toBeGreaterThan(50);
    },
  );

  it('answers 1,000 requests from a pod by DNS name, ClusterIP and NodePort, and pods see the true client', async () => {
    const address = await cluster.kubectl('get nodes -o jsonpath={.items[0].status.addresses[0].address}');
    const ask = ['web', clusterIP, `${address}:${nodePort}`, 'web'].map((host) => `wget -q -O - http://${host}/;`).join(' ');
    const script = `i=0; while [ $i -lt 250 ]; do ${ask} i=$((i+1)); done`;
    const answers = (await inClient(script))
      .trim()
      .split('\n')
      .map((l) => l.split(' '));
    expect(answers.filter((a) => a[0] !== '1')).toEqual([]);
    expect(answers.length).toBe(1000);
    expect(new Set(answers.map((a) => a[1])).size).toBe(replicas);
    const podIP = await cluster.kubectl(`get pod -n ${ns} client -o jsonpath={.status.podIP}`);
    expect(new Set(answers.map((a) => a[2]))).toEqual(new Set([podIP]));
  });

  it('has its names in DNS: service, headless, search paths, and none that do not exist', async () => {
    expect(await inClient(`nslookup web.${ns}.svc.cluster.local`)).toContain(clusterIP);
    const headless = await inClient(`nslookup web-headless.${ns}.svc.cluster.local`);
    expect(new Set([...headless.matchAll(/Address(?: \d+)?: (10\.\d+\.\d+\.\d+)\b(?!:53)/g)].map((m) => m[1])).size).toBeGreaterThanOrEqual(
      replicas,
    );
    expect(await inClient(`nslookup kubernetes.default.svc.cluster.local`)).toMatch(/Address.*10\.\d+\.0\.1\b/);
    expect(await inClient('nslookup absent.default.svc.cluster.local')).toMatch(/NXDOMAIN|can't/);
  });

  it('carries UDP, with answers from the ClusterIP', async () => {
    const socket = createSocket('udp4');
    try {
      const answer = await eventually(
        'an answer',
        () =>
          new Promise<string | undefined>((resolve) => {
            const timer = setTimeout(() => resolve(undefined), 500);
            socket.once('message', (m, from) => {
              clearTimeout(timer);
              resolve(`${from.address} ${m.toString()}`);
            });
            socket.send('hello', 81, clusterIP);
          }),
      );
      expect(answer).toMatch(new RegExp(`^${clusterIP} 1 web-`));
    } finally {
      socket.close();
    }
  });

  it('refuses connections when no pod is ready, and comes back', async () => {
    await cluster.kubectl(`scale -n ${ns} deployment/web --replicas=0`);
    await eventually('connections are refused', async () => {
      const error = await get(`http://${clusterIP}/`).then(
        () => undefined,
        (e: NodeJS.ErrnoException) => e,
      );
      return error?.code === 'ECONNREFUSED';
    });
    await cluster.kubectl(`scale -n ${ns} deployment/web --replicas=2`);
    await eventually('it answers again', async () => (await get(`http://${clusterIP}/`))[0] === '1');
  });

  it('keeps a client on one pod with ClientIP affinity', async () => {
    await cluster.kubectl(`patch service -n ${ns} web -p '{"spec":{"sessionAffinity":"ClientIP"}}'`);
    await eventually('15 requests reach one pod', async () => {
      const answers = (await inClient('for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do wget -q -O - http://web/; done'))
        .trim()
        .split('\n');
      return answers.length === 15 && new Set(answers.map((a) => a.split(' ')[1])).size === 1;
    });
  });

  it('follows ExternalName by CNAME', async () => {
    await cluster.kubectl(`create service externalname -n ${ns} elsewhere --external-name web.${ns}.svc.cluster.local`);
    await eventually('the name resolves', async () => (await inClient(`nslookup elsewhere.${ns}.svc.cluster.local`)).includes(clusterIP));
  });
});
