import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { containerdBinaries, startContainerd } from '../../packages/cri/test/private-containerd.ts';
import { clusterPlace, connect, eventually, skiff } from './support/cluster.ts';

const place = clusterPlace('ctrd', 3);
const image = 'skiff.test/cri-busybox:1';
const missing = await Promise.all(containerdBinaries.map((b) => access(b))).then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) console.warn(`SKIPPED: a node on containerd needs its binaries and a static busybox: ${missing}`);

const pod = (name: string, spec: object, script: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image, imagePullPolicy: 'Never', command: ['sh', '-c', script], ...spec }],
  },
});
const objects = [
  pod(
    'web',
    { readinessProbe: { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 1 } },
    'echo started; touch /tmp/ready; while :; do echo hello from containerd | nc -l -p 8080; done',
  ),
  pod('crash', {}, 'echo once more; exit 3'),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
  },
  { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'other' }, handler: 'other' },
  { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'none' }, handler: 'none' },
];
const withClass = (name: string, runtimeClassName: string): object => {
  const made = pod(name, {}, 'echo in another runtime') as { spec: object };
  return { ...made, spec: { ...made.spec, runtimeClassName, restartPolicy: 'Never' } };
};

describe.skipIf(missing !== undefined)('a node on containerd', () => {
  let root = '';
  let containerd: Awaited<ReturnType<typeof startContainerd>> | undefined;
  beforeAll(async () => {
    // Sockets have short paths.
    root = await mkdtemp('/var/lib/skiff-ctrd-');
    containerd = await startContainerd(root, image);
    await skiff(['down', `--root-dir=${place.rootDir}`, '--wipe']);
  });
  afterAll(async () => {
    await skiff(['down', `--root-dir=${place.rootDir}`, '--wipe']);
    await containerd?.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('runs pods in the pod network, by runtime classes, and goes without a trace', async () => {
    const result = await skiff(['up', ...place.flags, `--container-runtime-endpoint=${containerd?.endpoint}`]);
    expect(result.stdout + result.stderr).toContain('Skiff is up');
    const cluster = connect(place);
    const items = [...objects, withClass('classy', 'other'), withClass('lost', 'none')];
    await cluster.kubectl('apply -f -', { input: JSON.stringify({ kind: 'List', apiVersion: 'v1', items }) });
    await cluster.kubectl('wait --for=condition=Ready pod/web --timeout=120s');
    expect(await cluster.kubectl('get nodes -o jsonpath={.items[0].status.nodeInfo.containerRuntimeVersion}')).toMatch(/^containerd:/);

    // The image has no resolver.
    const address = await cluster.kubectl('get service web -o jsonpath={.spec.clusterIP}');
    const said = await eventually('an answer of the Service', async () => {
      const { code, stdout } = await cluster.tryKubectl(`exec web -- nc -w 5 ${address} 80`);
      return code === 0 && stdout !== '' ? stdout : undefined;
    });
    expect(said).toBe('hello from containerd\n');
    await eventually('the log', async () => (await cluster.kubectl('logs web')) === 'started\n');
    // The end of the input reaches the process, whose output goes on.
    expect(await cluster.kubectl('exec -i web -- cat', { input: 'to and fro' })).toBe('to and fro');

    const crashed = await eventually('a restart', async () => {
      const { status } = JSON.parse(await cluster.kubectl('get pod crash -o json')) as {
        status: { containerStatuses?: { restartCount: number; lastState: { terminated?: { exitCode: number } } }[] };
      };
      return status.containerStatuses?.find((c) => c.restartCount > 0);
    });
    expect(crashed.lastState.terminated?.exitCode).toBe(3);

    await cluster.kubectl('wait --for=jsonpath={.status.phase}=Succeeded pod/classy --timeout=120s');
    const refused = await eventually('a refusal', async () => {
      const events = await cluster.kubectl('get events --field-selector involvedObject.name=lost,reason=FailedCreatePodSandBox -o name');
      return events === '' ? undefined : await cluster.kubectl('get events --field-selector involvedObject.name=lost');
    });
    expect(refused).toContain('no runtime for "none" is configured');

    const down = await skiff(['down', `--root-dir=${place.rootDir}`, '--wipe']);
    expect(down.stdout + down.stderr).toContain('Removing containers');
    expect(down.code).toBe(0);
    expect(await containerd?.list()).toEqual([]);
    expect(await readdir(join(root, 'cni/conf'))).toEqual([]);
    expect(await readdir(join(root, 'cni/bin'))).toEqual([]);
  });
});
