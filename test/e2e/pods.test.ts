import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, eventually, type RunningCluster } from './support/cluster.ts';
import { testImages } from './support/images.ts';

let cluster: RunningCluster;
const ns = 'story-pods';
beforeAll(async () => {
  cluster = connect(inject('place'));
  await cluster.kubectl(`create namespace ${ns}`);
});
afterAll(async () => {
  await cluster.tryKubectl(`delete namespace ${ns} --wait=false`);
  cluster.client.close();
});
const apply = (object: object): Promise<string> => cluster.kubectl(`apply -n ${ns} -f -`, { input: JSON.stringify(object) });
const sh = (script: string): string[] => ['sh', '-c', script];

describe('a pod', () => {
  it('gives its two containers one localhost, one hostname and a shared volume', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'pair' },
      spec: {
        volumes: [{ name: 'shared', emptyDir: {} }],
        containers: [
          {
            name: 'server',
            image: testImages.busybox,
            command: sh('hostname > /shared/name; while true; do echo hello | nc -l -p 7000; done'),
            volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
          },
          {
            name: 'client',
            image: testImages.busybox,
            command: sh('sleep 3600'),
            volumeMounts: [{ name: 'shared', mountPath: '/from-server' }],
          },
        ],
      },
    });
    await cluster.kubectl(`wait -n ${ns} pod/pair --for=condition=Ready --timeout=120s`);
    // The server runs before it listens.
    await eventually(
      'an answer on localhost',
      async () => (await cluster.kubectl(`exec -n ${ns} pair -c client -- nc -w 5 127.0.0.1 7000`)).trim() === 'hello',
    );
    expect((await cluster.kubectl(`exec -n ${ns} pair -c client -- cat /from-server/name`)).trim()).toBe('pair');
    expect((await cluster.kubectl(`exec -n ${ns} pair -c client -- hostname`)).trim()).toBe('pair');
    const row = await cluster.kubectl(`get pod -n ${ns} pair --no-headers`);
    expect(row).toMatch(/^pair\s+2\/2\s+Running\s+0\s+\d+s/);
  });

  it('runs init containers first, takes its environment from ConfigMaps, Secrets and fields, and ends as Completed', async () => {
    await cluster.kubectl(`create configmap -n ${ns} settings --from-literal=COLOUR=green --from-literal=file.txt=content`);
    await cluster.kubectl(`create secret generic -n ${ns} hidden --from-literal=KEY=s3cret`);
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'settings', labels: { tier: 'test' } },
      spec: {
        restartPolicy: 'Never',
        volumes: [
          { name: 'work', emptyDir: {} },
          { name: 'config', configMap: { name: 'settings', items: [{ key: 'file.txt', path: 'sub/file' }] } },
          { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
        ],
        initContainers: [
          {
            name: 'first',
            image: testImages.busybox,
            command: sh('echo prepared > /work/state'),
            volumeMounts: [{ name: 'work', mountPath: '/work' }],
          },
        ],
        containers: [
          {
            name: 'main',
            image: testImages.busybox,
            command: sh('cat /work/state /config/sub/file /info/labels; echo; echo "$COLOUR $KEY $POD_IP $GREETING"; id -u'),
            securityContext: { runAsUser: 1234 },
            env: [
              { name: 'KEY', valueFrom: { secretKeyRef: { name: 'hidden', key: 'KEY' } } },
              { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
              { name: 'GREETING', value: 'hello-$(COLOUR)' },
            ],
            envFrom: [{ configMapRef: { name: 'settings' } }],
            volumeMounts: [
              { name: 'work', mountPath: '/work' },
              { name: 'config', mountPath: '/config' },
              { name: 'info', mountPath: '/info' },
            ],
          },
        ],
      },
    });
    await cluster.kubectl(`wait -n ${ns} pod/settings --for=jsonpath={.status.phase}=Succeeded --timeout=120s`);
    const log = await cluster.kubectl(`logs -n ${ns} settings`);
    const podIP = await cluster.kubectl(`get pod -n ${ns} settings -o jsonpath={.status.podIP}`);
    expect(log).toBe(`prepared\ncontenttier="test"\ngreen s3cret ${podIP} hello-green\n1234\n`);
    expect(await cluster.kubectl(`get pod -n ${ns} settings --no-headers`)).toMatch(/^settings\s+0\/1\s+Completed\s+0/);
  });

  it('sees a changed ConfigMap in its volume', async () => {
    await cluster.kubectl(`create configmap -n ${ns} live --from-literal=value=one`);
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'live' },
      spec: {
        volumes: [{ name: 'config', configMap: { name: 'live' } }],
        containers: [
          { name: 'main', image: testImages.busybox, command: sh('sleep 3600'), volumeMounts: [{ name: 'config', mountPath: '/config' }] },
        ],
      },
    });
    await cluster.kubectl(`wait -n ${ns} pod/live --for=condition=Ready --timeout=120s`);
    expect(await cluster.kubectl(`exec -n ${ns} live -- cat /config/value`)).toBe('one');
    await cluster.kubectl(`patch configmap -n ${ns} live -p '{"data":{"value":"two"}}'`);
    await eventually(
      'the file has the new value',
      async () => (await cluster.kubectl(`exec -n ${ns} live -- cat /config/value`)) === 'two',
    );
  });

  it('restarts a failing container with back-off and says so', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'crash' },
      spec: { containers: [{ name: 'main', image: testImages.busybox, command: sh('echo dying; exit 3') }] },
    });
    await eventually('CrashLoopBackOff is shown', async () => /CrashLoopBackOff/.test(await cluster.kubectl(`get pod -n ${ns} crash`)));
    const pod = JSON.parse(await cluster.kubectl(`get pod -n ${ns} crash -o json`));
    expect(pod.status.containerStatuses[0].lastState.terminated).toMatchObject({ exitCode: 3, reason: 'Error' });
    await eventually('an event says so', async () =>
      /Back-off restarting failed container/.test(await cluster.kubectl(`describe pod -n ${ns} crash`)),
    );
  });

  it('is Ready only while its readiness probe passes', async () => {
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'probed' },
      spec: {
        containers: [
          {
            name: 'main',
            image: testImages.busybox,
            command: sh('touch /tmp/ok; sleep 3600'),
            readinessProbe: { exec: { command: ['test', '-e', '/tmp/ok'] }, periodSeconds: 1, failureThreshold: 1 },
          },
        ],
      },
    });
    await cluster.kubectl(`wait -n ${ns} pod/probed --for=condition=Ready --timeout=120s`);
    await cluster.kubectl(`exec -n ${ns} probed -- rm /tmp/ok`);
    await cluster.kubectl(`wait -n ${ns} pod/probed --for=condition=Ready=false --timeout=120s`);
  });

  it('that writes more than its limits allow is evicted, and says for what', async () => {
    const write = (where: string) => ({
      name: 'main',
      image: testImages.busybox,
      command: sh(`dd if=/dev/zero of=${where}/x bs=1M count=8; sleep 3600`),
    });
    const pod = (name: string, spec: object) =>
      apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { terminationGracePeriodSeconds: 1, ...spec } });
    await pod('scratch', {
      containers: [{ ...write('/cache'), volumeMounts: [{ name: 'cache', mountPath: '/cache' }] }],
      volumes: [{ name: 'cache', emptyDir: { sizeLimit: '4Mi' } }],
    });
    await pod('greedy', { containers: [{ ...write('/tmp'), resources: { limits: { 'ephemeral-storage': '4Mi' } } }] });
    await pod('modest', { containers: [{ ...write('/tmp'), resources: { limits: { 'ephemeral-storage': '64Mi' } } }] });
    const status = async (name: string) => JSON.parse(await cluster.kubectl(`get pod -n ${ns} ${name} -o json`)).status;
    for (const name of ['scratch', 'greedy']) await eventually(`${name} is over`, async () => (await status(name)).phase === 'Failed');
    expect(await status('scratch')).toMatchObject({
      reason: 'Evicted',
      message: 'Usage of EmptyDir volume "cache" exceeds the limit "4Mi". ',
    });
    expect((await status('greedy')).message).toBe('Pod ephemeral local storage usage exceeds the total limit of containers 4Mi. ');
    await eventually('an event says so', async () =>
      /pod\/greedy/.test(await cluster.kubectl(`get events -n ${ns} --field-selector reason=Evicted`)),
    );
    await cluster.kubectl(`wait -n ${ns} pod/modest --for=condition=Ready --timeout=120s`);
  });

  it('with an image that is not there waits with a clear reason', async () => {
    await cluster.kubectl(`run -n ${ns} absent --image=skiff.test/absent:1 --image-pull-policy=Never`);
    await eventually('ErrImageNeverPull is shown', async () => /ErrImageNeverPull/.test(await cluster.kubectl(`get pod -n ${ns} absent`)));
  });
});
