import { persistentVolume, persistentVolumeClaim } from '@skiff/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../e2e/support/cluster.ts';
import { testImages } from '../e2e/support/images.ts';
import type { Host } from '../lab/host.ts';
import { startCluster, type HostsCluster } from './support/cluster.ts';
import { nodeReady } from './support/observe.ts';

const claim = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'default' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Mi' } } },
});
const pod = (name: string, claimName: string, node?: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 1,
    ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    containers: [
      {
        name: 'main',
        image: testImages.busybox,
        command: ['sh', '-c', 'sleep 3600'],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
  },
});

describe('volumes on several hosts', () => {
  let cluster: HostsCluster;
  let [, h2]: Host[] = [];
  beforeAll(async () => {
    cluster = await startCluster({ name: 'volumes', hosts: 2, up: ['--node-monitor-grace-period=9s', '--default-toleration-seconds=2'] });
    [, h2] = cluster.lab.hosts;
  });
  afterAll(async () => {
    await cluster?.close();
  });
  const ready = (name: string): Promise<string> =>
    cluster.kubectl(`wait pod/${name} --for=condition=Ready --timeout=150s`, { timeoutMs: 170_000 });
  const volumeOf = async (name: string): Promise<string> =>
    (await cluster.client.get(persistentVolumeClaim, { namespace: 'default', name })).spec?.volumeName ?? '';

  it('pods go where their data is, also when any node would do', async () => {
    await cluster.apply(claim('data'), pod('first', 'data', 'h2'));
    await ready('first');
    await cluster.kubectl("exec first -- sh -c 'echo kept > /data/file'");
    await cluster.kubectl('delete pod first --wait=true');
    await cluster.apply(pod('second', 'data'));
    await ready('second');
    expect(await cluster.kubectl('get pod second -o jsonpath={.spec.nodeName}')).toBe('h2');
    expect(await cluster.kubectl('exec second -- cat /data/file')).toBe('kept\n');
    await cluster.kubectl('delete pod second --wait=true');
    // The only copy is on its disk.
    expect((await h2?.run('skiff', ['leave']))?.stderr).toContain(`PersistentVolume ${await volumeOf('data')} lies on this host's disk`);
  });

  it('a volume whose node is down when its claim goes is deleted when the node is back', async () => {
    const name = await volumeOf('data');
    const directory = `/var/lib/kubelet/local-volumes/${name}`;
    expect((await h2?.run('test', ['-f', `${directory}/file`]))?.code).toBe(0);
    await h2?.kill();
    await eventually('h2 is lost', async () => h2 !== undefined && !(await nodeReady(cluster, h2)), 120_000);
    await cluster.kubectl('delete pvc data --wait=true');
    await eventually('the volume waits', async () => (await cluster.client.get(persistentVolume, { name })).status?.phase === 'Released');
    await eventually('it says why', async () =>
      (await cluster.kubectl(`get events -A --field-selector=involvedObject.name=${name}`)).includes('VolumeFailedDelete'),
    );
    await h2?.start();
    await h2?.ok('skiff', ['join']);
    await eventually('the volume is gone', async () => !(await cluster.kubectl('get pv -o name')).includes(name), 180_000);
    expect((await h2?.run('test', ['-e', directory]))?.code).toBe(1);
  });
});
