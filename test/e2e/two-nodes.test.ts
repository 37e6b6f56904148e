import { existsSync } from 'node:fs';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clusterPlace, connect, eventually, skiff } from './support/cluster.ts';
import { testImages } from './support/images.ts';

const place = clusterPlace('two', 2);

const daemonSet = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'web', image: testImages.web1, imagePullPolicy: 'Never' }] },
    },
  },
};
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
};
/** Run in a pod: what each URL answers, one line each. */
const ask = `
for (const url of process.argv.slice(1)) await fetch(url, { signal: AbortSignal.timeout(5000) }).then((r) => r.text()).then((t) => process.stdout.write(t));
`;

beforeAll(async () => {
  await skiff(['down', `--root-dir=${place.rootDir}`, '--wipe']);
  const result = await skiff(['up', ...place.flags, '--nodes=2']);
  expect(result.code, result.stdout + result.stderr).toBe(0);
  expect(result.stdout).toContain('Skiff is up');
});
afterAll(() => skiff(['down', `--root-dir=${place.rootDir}`, '--wipe']));

it('`up --nodes 2` makes two nodes of one host, whose pods reach each other and share its Services', async () => {
  const cluster = connect(place);
  const nodes = JSON.parse(await cluster.kubectl('get nodes -o json')) as { items: { metadata: { name: string } }[] };
  expect(nodes.items).toHaveLength(2);
  expect((await skiff(['status', `--root-dir=${place.rootDir}`])).stdout.match(/is Ready/g)).toHaveLength(2);

  await cluster.kubectl('apply -f -', { input: JSON.stringify({ kind: 'List', apiVersion: 'v1', items: [daemonSet, service] }) });
  await cluster.kubectl('rollout status daemonset/web --timeout=120s');
  const pods = JSON.parse(await cluster.kubectl('get pods -l app=web -o json')) as {
    items: { metadata: { name: string }; spec: { nodeName: string }; status: { podIP: string } }[];
  };
  expect(new Set(pods.items.map((p) => p.spec.nodeName)).size).toBe(2);
  const urls = pods.items.map((p) => `http://${p.status.podIP}:8080/`);
  for (const { metadata } of pods.items) {
    const said = await eventually(`answers to ${metadata.name}`, async () => {
      const { code, stdout } = await cluster.tryKubectl(
        `exec ${metadata.name} -- node --input-type=module -e '${ask}' ${urls.join(' ')} http://web/`,
      );
      return code === 0 ? stdout.trim().split('\n') : undefined;
    });
    expect(said.slice(0, 2).map((line) => line.split(' ')[1])).toEqual(pods.items.map((p) => p.metadata.name));
    expect(said).toHaveLength(3);
  }
});

it('takes no node away, and leaves nothing of either', async () => {
  const fewer = await skiff(['up', ...place.flags, '--nodes=1']);
  expect(fewer.code).not.toBe(0);
  expect(fewer.stdout + fewer.stderr).toContain('which can’t become fewer');
  const down = await skiff(['down', `--root-dir=${place.rootDir}`, '--wipe']);
  expect(down.code, down.stdout + down.stderr).toBe(0);
  const docker = new Docker({ socketPath: '/var/run/docker.sock' });
  for (const instance of [place.instance, `${place.instance}n2`]) {
    const label = `io.skiff.instance=${instance}`;
    expect(await docker.listContainers({ all: true, filters: { label: [label] } })).toEqual([]);
  }
  expect(existsSync(place.rootDir)).toBe(false);
});
