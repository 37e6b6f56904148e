import type { ContainerStatus, Pod } from '@skiff/api';
import { importHostImage } from '@skiff/testing/host-image';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, eventually, kubectls, type RunningCluster } from './support/cluster.ts';
import { testImages } from './support/images.ts';
import { inTerminal } from './support/terminal.ts';

let cluster: RunningCluster;
const ns = 'story-features';
const dataImage = 'skiff.test/data:1';
beforeAll(async () => {
  cluster = connect(inject('place'));
  await Promise.all([
    importHostImage(cluster.docker, { name: dataImage, programs: [], files: { '/model/weights/layer': 'of an image\n' } }),
    cluster.kubectl(`create namespace ${ns}`),
  ]);
});
afterAll(async () => {
  await cluster.tryKubectl(`delete namespace ${ns} --wait=false`);
  cluster.client.close();
});

const apply = (object: object): Promise<string> => cluster.kubectl(`apply -n ${ns} -f -`, { input: JSON.stringify(object) });
const pod = (name: string, spec: object, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { terminationGracePeriodSeconds: 1, ...spec },
});
/** A container that does nothing, and does it as long as it may. */
const idle = (name: string, more: object = {}): object => ({ name, image: testImages.busybox, command: ['sleep', '3600'], ...more });
/** A pod's only container that runs a script to its end. */
const task = (script: string, more: object = {}) => ({
  restartPolicy: 'Never',
  containers: [{ name: 'main', image: testImages.busybox, command: ['sh', '-ec', script], ...more }],
});
const ready = (name: string): Promise<string> => cluster.kubectl(`wait -n ${ns} pod/${name} --for=condition=Ready --timeout=120s`);
const read = async (name: string): Promise<Pod> => JSON.parse(await cluster.kubectl(`get pod -n ${ns} ${name} -o json`)) as Pod;
const statusOf = (of: Pod, container: string): ContainerStatus | undefined =>
  of.status?.containerStatuses?.find((s) => s.name === container);
const shell = async (name: string, container: string, script: string): Promise<string> =>
  (await cluster.kubectl(`exec -n ${ns} ${name} -c ${container} -- sh -c '${script}'`)).trim();
/** What a pod that runs to its end prints; throws with that when it fails. */
async function outputOf(name: string): Promise<string> {
  const phase = await eventually(`${name} has ended`, async () => {
    const now = (await read(name)).status?.phase;
    return now === 'Succeeded' || now === 'Failed' ? now : undefined;
  });
  const log = (await cluster.kubectl(`logs -n ${ns} ${name}`)).trim();
  if (phase === 'Failed') throw new Error(`pod ${name} failed: ${log}`);
  return log;
}

/** kubectl in a terminal that somebody types a line into. The script of the pod's container reads it, so it says nothing before kubectl listens. */
const typed = (args: string, script: string): ReturnType<typeof inTerminal> =>
  inTerminal(
    `${kubectls()[0]} --kubeconfig ${cluster.kubeconfig} -n ${ns} ${args} -- sh -c 'read line; echo "<$line>"; ${script}'`,
    'a line\n',
  );

describe.concurrent('kubectl debug', () => {
  it('puts a container into a running pod that sees the processes and files of its target', async () => {
    const target = { command: ['sh', '-c', 'echo found > /tmp/mark; exec sleep 3601'], securityContext: { runAsUser: 1000 } };
    await apply(pod('debugged', { containers: [idle('other'), idle('main', target)] }));
    await ready('debugged');
    await eventually('the target is what it will be', async () => (await shell('debugged', 'main', 'pidof sleep')) === '1');
    // Another user's files can be seen through /proc with SYS_PTRACE alone, which the profile brings.
    const { shown, code } = await typed(
      `debug -it debugged --image=${testImages.busybox} --target=main --profile=general -c tool`,
      'cat /proc/1/root/tmp/mark; xargs -0 -n 2 < /proc/1/cmdline',
    );
    expect(shown).toContain('<a line>\nfound\nsleep 3601\n');
    expect(code, shown).toBe(0);
    const after = await eventually('the debugger has ended', async () => {
      const now = await read('debugged');
      return now.status?.ephemeralContainerStatuses?.[0]?.state?.terminated === undefined ? undefined : now;
    });
    expect(after.status?.ephemeralContainerStatuses?.[0]).toMatchObject({ name: 'tool', state: { terminated: { exitCode: 0 } } });
    expect(after.status?.containerStatuses?.map((s) => [s.name, s.ready, s.restartCount])).toEqual([
      ['main', true, 0],
      ['other', true, 0],
    ]);
  });

  it('brings a pod onto a node that sees its processes and files', async () => {
    const node = (await cluster.kubectl('get nodes -o name')).trim().split('\n')[0] ?? '';
    const { shown, code } = await typed(
      `debug -it ${node} --image=${testImages.busybox} --profile=general`,
      `cat /proc/${cluster.pids()['etcd']}/comm; grep -c :${cluster.place.securePort} /host${cluster.kubeconfig}`,
    );
    expect(shown).toContain('<a line>\netcd\n1\n');
    expect(code, shown).toBe(0);
  });
});

describe.concurrent('kubectl run --rm', () => {
  const gone = (name: string): Promise<unknown> =>
    eventually(`${name} is gone`, async () => /NotFound/.test((await cluster.tryKubectl(`get pod -n ${ns} ${name}`)).stderr));

  it('-i gives a pod its input, prints its output, ends with its exit code and removes it', async () => {
    const done = await cluster.tryKubectl(
      `run -n ${ns} piped -i --rm --quiet --image=${testImages.busybox} --restart=Never --command -- sh -c 'wc -c; exit 3'`,
      { input: 'x'.repeat(100_000) },
    );
    expect(done.stdout, done.stderr).toBe('100000\n');
    expect(done.code, done.stderr).toBe(3);
    await gone('piped');
  });

  it('-it does so in a terminal', async () => {
    const { shown, code } = await typed(
      `run typed -it --rm --quiet --image=${testImages.busybox} --restart=Never --command`,
      'test -t 1 && echo on a terminal; exit 3',
    );
    expect(shown).toContain('<a line>\non a terminal\n');
    expect(code, shown).toBe(3);
    await gone('typed');
  });
});

describe.concurrent('a running pod', () => {
  const first = { cpu: '100m', memory: '32Mi' };
  const limits = async (container: string): Promise<readonly string[]> =>
    (
      await shell(
        'resized',
        container,
        'cd /sys/fs/cgroup; if [ -e memory.max ]; then cat memory.max; cut -d" " -f1 cpu.max; else cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us; fi',
      )
    ).split('\n');
  const resize = async (resources: object): Promise<void> => {
    const containers = ['steady', 'renewed'].map((name) => ({ name, resources: { limits: resources, requests: resources } }));
    await cluster.kubectl(`patch pod -n ${ns} resized --subresource=resize -p '${JSON.stringify({ spec: { containers } })}'`);
  };
  /** Resolves with the pod when the node has granted what was asked for last, and has carried it out. */
  const resized = (memory: string, cpu: string): Promise<Pod> =>
    eventually(`the pod has ${memory} and ${cpu}`, async () => {
      const now = await read('resized');
      const pending = (now.status?.conditions ?? []).filter((c) => c.type.startsWith('PodResize'));
      const has = ['steady', 'renewed'].map((name) => {
        const { state, resources } = statusOf(now, name) ?? {};
        return state?.running !== undefined && resources?.limits?.['memory'] === memory && resources.limits['cpu'] === cpu;
      });
      if (pending.length > 0 || has.includes(false)) throw new Error(JSON.stringify(now.status));
      return now;
    });

  it('is resized in place, and only containers that ask for it are restarted, once', async () => {
    const command = ['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait'];
    const container = { command, resources: { limits: first, requests: first } };
    const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
    await apply(pod('resized', { containers: [idle('steady', container), idle('renewed', { ...container, resizePolicy })] }));
    await ready('resized');
    const before = await read('resized');
    expect(await limits('steady')).toEqual([`${32 << 20}`, '10000']);

    await resize({ cpu: '200m', memory: '32Mi' });
    const faster = await resized('32Mi', '200m');
    expect(await limits('steady')).toEqual([`${32 << 20}`, '20000']);
    expect(await limits('renewed')).toEqual([`${32 << 20}`, '20000']);
    for (const name of ['steady', 'renewed']) expect(statusOf(faster, name)?.containerID).toBe(statusOf(before, name)?.containerID);

    await resize({ cpu: '200m', memory: '64Mi' });
    const larger = await resized('64Mi', '200m');
    expect(await limits('steady')).toEqual([`${64 << 20}`, '20000']);
    expect(await limits('renewed')).toEqual([`${64 << 20}`, '20000']);
    expect(statusOf(larger, 'steady')).toMatchObject({ restartCount: 0, containerID: statusOf(before, 'steady')?.containerID });
    expect(statusOf(larger, 'renewed')?.restartCount).toBe(1);
    expect((await read('resized')).status?.containerStatuses?.map((s) => s.restartCount)).toEqual([1, 0]);
  });

  it('with shareProcessNamespace has containers that see and signal each other’s processes', async () => {
    const worker = { name: 'worker', image: testImages.busybox, command: ['tail', '-f', '/dev/null'] };
    await apply(pod('sharing', { shareProcessNamespace: true, containers: [idle('tool'), worker] }));
    await ready('sharing');
    const pid = await eventually('the process is seen', () => shell('sharing', 'tool', 'pidof tail'));
    await shell('sharing', 'tool', `kill -TERM ${pid}`);
    const after = await eventually('the container is started again', async () => {
      const now = await read('sharing');
      return statusOf(now, 'worker')?.restartCount === 1 ? now : undefined;
    });
    expect(statusOf(after, 'worker')?.lastState?.terminated?.exitCode).toBe(143);
    expect(statusOf(after, 'tool')?.restartCount).toBe(0);
  });

  it('with a readiness gate is Ready, and an endpoint that is used, only while its condition is true', async () => {
    const gate = 'story.skiff.test/opened';
    await apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'gated' },
      spec: { selector: { app: 'gated' }, ports: [{ port: 80 }] },
    });
    await apply(pod('gated', { readinessGates: [{ conditionType: gate }], containers: [idle('main')] }, { labels: { app: 'gated' } }));
    const open = (status: string): Promise<string> =>
      cluster.kubectl(
        `patch pod -n ${ns} gated --subresource=status -p '${JSON.stringify({ status: { conditions: [{ type: gate, status }] } })}'`,
      );
    const endpoint = (wanted: boolean): Promise<unknown> =>
      eventually(`the endpoint is ${wanted ? '' : 'not '}ready`, async () => {
        const slices = await cluster.kubectl(
          `get endpointslices -n ${ns} -l kubernetes.io/service-name=gated -o jsonpath={.items[*].endpoints[*].conditions.ready}`,
        );
        return slices === String(wanted);
      });
    const condition = async (type: string) => (await read('gated')).status?.conditions?.find((c) => c.type === type);
    await cluster.kubectl(`wait -n ${ns} pod/gated --for=condition=ContainersReady --timeout=120s`);
    expect(await condition('Ready')).toMatchObject({
      status: 'False',
      reason: 'ReadinessGatesNotReady',
      message: `corresponding condition of pod readiness gate "${gate}" does not exist.`,
    });
    await endpoint(false);
    await open('True');
    await ready('gated');
    await endpoint(true);
    await open('False');
    await cluster.kubectl(`wait -n ${ns} pod/gated --for=condition=Ready=false --timeout=120s`);
    await endpoint(false);
    expect((await condition('ContainersReady'))?.status).toBe('True');
  });
});

describe.concurrent('a pod', () => {
  it('with fsGroupChangePolicy OnRootMismatch has its claim’s files given to its group once, and again for another group', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'owned' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    });
    const run = async (name: string, fsGroup: number, script: string): Promise<string> => {
      const spec = {
        ...task(script, { volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
        securityContext: { fsGroup, fsGroupChangePolicy: 'OnRootMismatch' },
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'owned' } }],
      };
      await apply(pod(name, spec));
      return await outputOf(name);
    };
    const look = 'stat -c "%n %g" /data /data/file';
    expect(await run('owner', 2000, `touch /data/file; ${look}; chgrp 7 /data/file`)).toBe('/data 2000\n/data/file 2000');
    expect(await run('same-owner', 2000, look)).toBe('/data 2000\n/data/file 7');
    expect(await run('other-owner', 3000, look)).toBe('/data 3000\n/data/file 3000');
  });

  it('mounts an image, or a folder of it, read-only', async () => {
    const mounts = [
      { name: 'data', mountPath: '/whole' },
      { name: 'data', mountPath: '/part', subPath: 'model/weights' },
    ];
    const script = 'cat /whole/model/weights/layer /part/layer; for d in whole/tmp part; do touch /$d/new 2>&1 || true; done';
    await apply(
      pod('image-reader', {
        ...task(script, { volumeMounts: mounts }),
        volumes: [{ name: 'data', image: { reference: dataImage, pullPolicy: 'Never' } }],
      }),
    );
    expect(await outputOf('image-reader')).toBe(
      'of an image\nof an image\ntouch: /whole/tmp/new: Read-only file system\ntouch: /part/new: Read-only file system',
    );
  });

  it('has its whole name as host name, and names of its own for addresses', async () => {
    const script = 'hostname; ping -c 1 -W 5 printer.test | head -n 1';
    await apply(
      pod('named', {
        ...task(script),
        hostname: 'host',
        subdomain: 'sub',
        setHostnameAsFQDN: true,
        hostAliases: [{ ip: '127.0.0.7', hostnames: ['printer', 'printer.test'] }],
      }),
    );
    expect(await outputOf('named')).toMatch(
      new RegExp(`^host\\.sub\\.${ns}\\.svc\\.cluster\\.local\nPING printer\\.test \\(127\\.0\\.0\\.7\\)`),
    );
  });
});
