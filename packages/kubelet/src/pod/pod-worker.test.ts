import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Client } from '@skiff/client';
import { FakeClock } from '@skiff/component-base';
import { RuntimeError } from '@skiff/cri';
import { createServiceAccountTokens } from '../volumes/service-account-tokens.ts';
import type { PodSnapshot } from './pod-snapshot.ts';
import { PodWorker } from './pod-worker.ts';
import { createFakeNode, fakePod, snapshot } from './pod-context.fixture.ts';

const condition = (status: { conditions?: { type: string; status: string; reason?: string }[] } | undefined, type: string): string =>
  status?.conditions?.find((c) => c.type === type)?.status ?? 'absent';

describe('pod worker', () => {
  it('takes a pod from nothing to Ready, with one status', async () => {
    await using node = createFakeNode();
    const worker = node.start(fakePod({}));
    await node.settle();
    const status = node.status('u');
    expect(status).toMatchObject({
      phase: 'Running',
      podIP: '10.0.0.2',
      hostIP: '192.168.0.1',
      qosClass: 'BestEffort',
      observedGeneration: 1,
    });
    expect(status?.containerStatuses?.[0]).toMatchObject({ ready: true, started: true, restartCount: 0, state: { running: {} } });
    expect(
      ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((t) => condition(status, t)),
    ).toEqual(Array(5).fill('True'));
    expect(node.events).toEqual([
      'Normal Pulled c Container image "fake:1" already present on machine and can be accessed by the pod',
      'Normal Created c Container created',
      'Normal Started c Container started',
    ]);
    expect(worker.state.phase).toBe('syncing');
  });

  it('tells of SELinux options that the host does not carry out', async () => {
    await using node = createFakeNode();
    node.start(fakePod({ securityContext: { seLinuxOptions: { level: 's0:c1' } } }));
    await node.settle();
    expect(node.status('u')?.phase).toBe('Running');
    expect(node.events[0]).toMatch(/^Warning SELinuxNotEnabled .*seLinuxOptions have no effect/);
  });

  it('tells of a pod that was refused nothing but that', async () => {
    await using node = createFakeNode({ admission: { admit: () => ({ reason: 'OutOfcpu', message: 'no CPU' }) } });
    const worker = node.start(fakePod({}));
    expect(worker.isCounted).toBe(false);
    await node.settle();
    expect(node.status('u')).toMatchObject({ phase: 'Failed', reason: 'OutOfcpu', message: 'Pod was rejected: no CPU' });
    // kubectl would show their states instead.
    expect(node.status('u')?.containerStatuses).toBeUndefined();
    expect(node.fake.containers.size).toBe(0);
  });

  it('starts a critical pod when others have made room, and no sooner', async () => {
    let leave: () => void = () => undefined;
    const shortages = [{ resource: 'cpu', requested: 100, used: 100, capacity: 100 }];
    await using node = createFakeNode({
      admission: {
        admit: () => ({ reason: 'OutOfcpu', message: '', shortages }),
        makeRoom: async (_pod, missing) => {
          expect(missing).toBe(shortages);
          await new Promise<void>((resolve) => (leave = resolve));
          return undefined;
        },
      },
    });
    const worker = node.start(fakePod({}));
    await node.settle();
    expect([worker.isCounted, node.fake.sandboxes.size]).toEqual([true, 0]);
    leave();
    await node.settle();
    expect(node.status('u')?.phase).toBe('Running');
  });

  it('waits for room no longer than it is wanted, and is not let in when none could be made', async () => {
    const shortages = [{ resource: 'cpu', requested: 100, used: 100, capacity: 100 }];
    const outcomes: (() => Promise<undefined>)[] = [
      () => Promise.reject(new Error('no room could be made')),
      () => new Promise<undefined>(() => undefined),
    ];
    await using node = createFakeNode({
      admission: {
        admit: () => ({ reason: 'OutOfcpu', message: '', shortages }),
        makeRoom: () => outcomes.shift()?.() ?? Promise.resolve(undefined),
      },
    });
    const worker = node.start(fakePod({}));
    await node.settle();
    expect([worker.isCounted, outcomes.length]).toEqual([false, 1]);
    await node.settle(10_000);
    expect([worker.isCounted, outcomes.length, node.fake.sandboxes.size]).toEqual([true, 0, 0]);
    worker.update(snapshot(fakePod({}, { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 })));
    await node.settle();
    expect(node.finished).toEqual(['u']);
  });

  it('restarts what crashes, later each time', async () => {
    await using node = createFakeNode();
    node.start(fakePod({ containers: [{ name: 'c', image: 'fake:1', command: ['exit', '3'] }] }));
    await node.settle();
    // The first restart is immediate, the second waits.
    expect(node.status('u')?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s restarting failed container=c pod=p_n(u)' } },
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
    });
    expect(node.status('u')?.phase).toBe('Running');
    await node.settle(10_000);
    expect(node.status('u')?.containerStatuses?.[0]).toMatchObject({
      restartCount: 2,
      state: { waiting: { message: expect.stringContaining('back-off 20s') as string } },
    });
    // One previous container is kept for its log.
    expect(node.fake.containers.size).toBe(2);
  });

  it('ends in Succeeded or Failed where nothing is restarted, and keeps the containers', async () => {
    await using node = createFakeNode();
    const worker = node.start(fakePod({ restartPolicy: 'Never', containers: [{ name: 'c', image: 'fake:1', command: ['exit', '0'] }] }));
    await node.settle();
    expect(node.status('u')).toMatchObject({ phase: 'Succeeded' });
    expect(condition(node.status('u'), 'Ready')).toBe('False');
    expect(worker.state.phase).toBe('finished');
    expect(node.fake.containers.size).toBe(1);
    const failed = node.start(
      fakePod({ restartPolicy: 'OnFailure', containers: [{ name: 'c', image: 'fake:1', command: ['exit', '1'] }] }, { uid: 'v' }),
    );
    await node.settle();
    expect(node.status('v')?.phase).toBe('Running');
    expect(failed.state.phase).toBe('syncing');
  });

  it('runs init containers in order before the others', async () => {
    await using node = createFakeNode();
    node.start(
      fakePod({
        initContainers: [
          { name: 'i1', image: 'fake:1', command: ['exit', '0'] },
          { name: 'side', image: 'fake:1', command: ['pause'], restartPolicy: 'Always' },
          { name: 'i2', image: 'fake:1', command: ['exit', '0'] },
        ],
      }),
    );
    await node.settle();
    expect(node.fake.calls.filter((c) => c.startsWith('startContainer'))).toEqual(
      ['i1', 'side', 'i2', 'c'].map((n) => `startContainer ${n}`),
    );
    const status = node.status('u');
    expect(status?.phase).toBe('Running');
    expect(status?.initContainerStatuses?.map((s) => [s.name, s.ready, s.started])).toEqual([
      ['i1', true, false],
      ['side', true, true],
      ['i2', true, false],
    ]);
  });

  it('fails for good when an init container does and nothing restarts', async () => {
    await using node = createFakeNode();
    node.start(fakePod({ restartPolicy: 'Never', initContainers: [{ name: 'i', image: 'fake:1', command: ['exit', '1'] }] }));
    await node.settle();
    expect(node.status('u')).toMatchObject({ phase: 'Failed', containerStatuses: [{ state: { waiting: { reason: 'PodInitializing' } } }] });
    expect(condition(node.status('u'), 'Initialized')).toBe('False');
  });

  it('deletes: signal, wait, status, then the API is told', async () => {
    await using node = createFakeNode();
    const pod = fakePod({ containers: [{ name: 'c', image: 'fake:1', command: ['stubborn'] }] });
    const worker = node.start(pod);
    await node.settle();
    worker.update(snapshot({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: 20 } }));
    await node.settle(19_000);
    expect(node.finished).toEqual([]);
    expect(node.fake.calls).toContain('signalContainer c SIGTERM');
    worker.update(
      snapshot({ ...pod, metadata: { ...pod.metadata, generation: 2, deletionTimestamp: 'now', deletionGracePeriodSeconds: 0 } }),
    );
    await node.settle();
    expect(node.status('u')?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(137);
    expect(node.finished).toEqual(['u']);
    expect([node.fake.containers.size, node.fake.sandboxes.size]).toEqual([0, 0]);
    worker.remove();
    await node.settle();
    expect(worker.state.phase).toBe('finished');
  });

  it('waits for what is missing, and says why', async () => {
    await using node = createFakeNode();
    const worker = node.start(
      fakePod({
        volumes: [{ name: 'v', configMap: { name: 'cm' } }],
        containers: [{ name: 'c', image: 'fake:1', command: ['pause'], volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
      }),
    );
    await node.settle();
    expect(node.events).toContain('Warning FailedMount MountVolume.SetUp failed for volume "v" : configmap "cm" not found');
    expect(node.status('u')?.containerStatuses?.[0]?.state).toEqual({ waiting: { reason: 'ContainerCreating' } });
    node.configMaps.set('cm', { data: { a: '1' } });
    worker.poke();
    await node.settle();
    expect(node.status('u')?.phase).toBe('Running');
  });

  it('tells configuration, image and start troubles apart', async () => {
    await using node = createFakeNode();
    const start = (uid: string, c: object): void =>
      void node.start(fakePod({ containers: [{ name: 'c', image: 'fake:1', command: ['pause'], ...c }] }, { uid }));
    start('1', { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'cm', key: 'k' } } }] });
    start('2', { image: 'none:1', imagePullPolicy: 'Always' });
    start('3', { image: 'none:1', imagePullPolicy: 'Never' });
    start('4', { command: ['no-such-program'] });
    await node.settle();
    const reason = (uid: string): string | undefined => node.status(uid)?.containerStatuses?.[0]?.state?.waiting?.reason;
    expect(['1', '2', '3'].map(reason)).toEqual(['CreateContainerConfigError', 'ErrImagePull', 'ErrImageNeverPull']);
    expect(['RunContainerError', 'CrashLoopBackOff']).toContain(reason('4'));
    expect(node.status('4')?.containerStatuses?.[0]?.lastState?.terminated?.reason).toBe('StartError');
  });

  it('holds readiness back for its probe, and restarts on liveness', async () => {
    const healthy = { ready: 1, failuresLeft: 0 };
    await using node = createFakeNode({
      programs: { ready: (p) => p.exit(healthy.ready), alive: (p) => p.exit(healthy.failuresLeft-- > 0 ? 1 : 0) },
    });
    node.start(
      fakePod({
        containers: [
          {
            name: 'c',
            image: 'fake:1',
            command: ['pause'],
            readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 1 },
            livenessProbe: { exec: { command: ['alive'] }, periodSeconds: 1, failureThreshold: 1 },
          },
        ],
      }),
    );
    await node.settle();
    expect(condition(node.status('u'), 'Ready')).toBe('False');
    healthy.ready = 0;
    await node.settle(1_100);
    expect(condition(node.status('u'), 'Ready')).toBe('True');
    healthy.failuresLeft = 1;
    await node.settle(1_100);
    await node.settle(100);
    expect(node.events).toContain('Normal Killing c Container c failed liveness probe, will be restarted');
    expect(node.status('u')?.containerStatuses?.[0]?.restartCount).toBe(1);
  });

  it('says nothing good of containers before their hooks and probes did', async () => {
    let over = (): void => undefined;
    await using node = createFakeNode({ programs: { ready: (p) => p.exit(0), hook: (p) => void (over = () => p.exit(0)) } });
    const probed = { name: 'a', image: 'fake:1', command: ['pause'], readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 1 } };
    const hooked = { name: 'b', image: 'fake:1', command: ['pause'], lifecycle: { postStart: { exec: { command: ['hook'] } } } };
    node.start(fakePod({ containers: [probed, hooked] }));
    await node.settle();
    // The status that is told while a start takes long.
    await node.settle(1_100);
    expect(node.status('u')?.containerStatuses).toMatchObject([
      { name: 'a', ready: false, started: true, state: { running: {} } },
      { name: 'b', ready: false, started: false, state: { waiting: { reason: 'ContainerCreating' } } },
    ]);
    over();
    await node.settle(1_100);
    expect(node.status('u')?.containerStatuses).toMatchObject([
      { name: 'a', ready: true },
      { name: 'b', ready: true, state: { running: {} } },
    ]);
  });

  it('widens the pod before a container starts with more than it had', async () => {
    await using node = createFakeNode();
    const granted: string[] = [];
    const ensure = async (pod: PodSnapshot): Promise<string> => {
      granted.push(`${pod.spec.containers[0]?.resources?.limits?.['cpu']} with ${node.fake.containers.size} containers`);
      return '/pods';
    };
    Object.assign(node.context, { cgroups: { ...node.context.cgroups, ensure } });
    const pod = (cpu: string, generation: number, memory = '10Mi'): ReturnType<typeof fakePod> =>
      fakePod(
        {
          containers: [
            {
              name: 'c',
              image: 'fake:1',
              command: ['pause'],
              resources: { requests: { cpu: '10m', memory }, limits: { cpu } },
              resizePolicy: ['cpu', 'memory'].map((resourceName) => ({ resourceName, restartPolicy: 'RestartContainer' })),
            },
          ],
        },
        { generation },
      );
    const worker = node.start(pod('20m', 1));
    await node.settle();
    worker.update(snapshot(pod('30m', 2)));
    await node.settle(1_100);
    expect(node.status('u')?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, ready: true });
    expect(granted).toEqual(['20m with 0 containers', '30m with 1 containers']);
    // What is asked for limits nothing, and counts for the policy as well.
    worker.update(snapshot(pod('30m', 3, '20Mi')));
    await node.settle(1_100);
    expect(node.status('u')?.containerStatuses?.[0]).toMatchObject({ restartCount: 2, ready: true });
  });

  it('is Failed when it is deleted before anything of it could start', async () => {
    await using node = createFakeNode();
    const pod = fakePod({ containers: [{ name: 'c', image: 'none:1', imagePullPolicy: 'Never' }] });
    const worker = node.start(pod);
    await node.settle();
    expect(node.status('u')?.phase).toBe('Pending');
    worker.update(snapshot({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: 1 } }));
    await node.settle();
    expect(node.status('u')).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' } } }],
    });
    expect(node.finished).toEqual(['u']);
  });

  it('goes on to tell readiness while it ends', async () => {
    const answers = { ready: 0 };
    await using node = createFakeNode({ programs: { ready: (p) => p.exit(answers.ready) } });
    const pod = fakePod({
      containers: [
        {
          name: 'c',
          image: 'fake:1',
          command: ['stubborn'],
          readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 1, failureThreshold: 1 },
        },
      ],
    });
    const worker = node.start(pod);
    await node.settle(1_100);
    expect(condition(node.status('u'), 'Ready')).toBe('True');
    worker.update(snapshot({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: 'now', deletionGracePeriodSeconds: 20 } }));
    await node.settle(1_100);
    expect(condition(node.status('u'), 'Ready')).toBe('True');
    answers.ready = 1;
    await node.settle(1_100);
    expect(condition(node.status('u'), 'Ready')).toBe('False');
    expect(node.finished).toEqual([]);
    await node.settle(20_000);
    expect(node.finished).toEqual(['u']);
  });

  it('starts over in a new sandbox when the old one died', async () => {
    await using node = createFakeNode();
    node.start(fakePod({}));
    await node.settle();
    const [sandbox] = node.fake.sandboxes.keys();
    await node.fake.runtime.stopPodSandbox(sandbox ?? '');
    await node.settle();
    expect(node.events).toContain('Normal SandboxChanged Pod sandbox changed, it will be killed and re-created.');
    expect(node.status('u')).toMatchObject({ phase: 'Running', podIP: '10.0.0.3', containerStatuses: [{ restartCount: 1, ready: true }] });
  });

  it('keeps no more former sandboxes than it keeps containers of theirs', async () => {
    await using node = createFakeNode();
    node.start(fakePod({}));
    await node.settle();
    for (let i = 0; i < 6; i++) {
      const ready = [...node.fake.sandboxes.values()].filter((s) => s.ready);
      expect(ready).toHaveLength(1);
      await node.fake.runtime.stopPodSandbox(ready[0]?.id ?? '');
      await node.settle(400_000);
    }
    expect([...node.fake.containers.values()].map((c) => c.state).sort()).toEqual(['exited', 'running']);
    // One whose last container has just been removed goes the next time.
    expect(node.fake.sandboxes.size).toBeLessThanOrEqual(3);
  });

  it('renews tokens when most of their life is over', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const client = {
      createSubresource: async () => ({
        status: { token: `t${++asked}`, expirationTimestamp: new Date(clock.now() + 3_600_000).toISOString() },
      }),
    } as unknown as Client;
    await using node = createFakeNode({ clock, tokens: createServiceAccountTokens({ client, clock }) });
    node.start(
      fakePod({
        volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }] } }],
        containers: [{ name: 'c', image: 'fake:1', command: ['pause'], volumeMounts: [{ name: 't', mountPath: '/t' }] }],
      }),
    );
    await node.settle();
    const file = `${node.context.rootDirectory}/pods/u/memory/kubernetes.io~projected/t/token`;
    expect(readFileSync(file, 'utf8')).toBe('t1');
    await node.settle(3_600_000 * 0.7);
    expect(asked).toBe(1);
    await node.settle(3_600_000 * 0.11);
    expect(readFileSync(file, 'utf8')).toBe('t2');
  });

  it('ends a pod whose deadline passed', async () => {
    await using node = createFakeNode();
    node.start(fakePod({ activeDeadlineSeconds: 5 }));
    await node.settle(5_100);
    await node.settle();
    expect(node.status('u')).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  });

  it('restarts nothing for limits that nobody asked for', async () => {
    await using node = createFakeNode();
    const resizePolicy = ['cpu', 'memory'].map((resourceName) => ({ resourceName, restartPolicy: 'RestartContainer' }));
    const worker = node.start(
      fakePod({
        resources: { limits: { memory: '64Mi', cpu: '1' } },
        containers: [{ name: 'c', image: 'fake:1', command: ['pause'], resizePolicy }],
      }),
    );
    await node.settle();
    const [container] = node.fake.containers.values();
    const { memoryLimitBytes: _memory, cpuQuotaMicros: _cpu, ...former } = container?.resources ?? {};
    // As the version before would have started it.
    Object.assign(container ?? {}, { resources: former });
    worker.invalidate();
    await node.settle(1_100);
    expect(node.status('u')?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, ready: true });
    expect(container?.resources).toMatchObject({ memoryLimitBytes: 64 * 1024 ** 2, cpuQuotaMicros: 100_000 });
  });

  it('sets what was granted when the kubelet that granted it was killed before that', async () => {
    await using node = createFakeNode();
    const spec = (memory: string) => ({
      resources: { limits: { memory } },
      containers: [{ name: 'c', image: 'fake:1', command: ['pause'], resources: { limits: { memory: '32Mi' } } }],
    });
    node.start(fakePod(spec('64Mi')));
    await node.settle();
    const set: (string | undefined)[] = [];
    const pod = fakePod(spec('128Mi'), { generation: 2 });
    const granted = new Map([...(node.context.allocations.get('u') ?? []), ['', { limits: { memory: '128Mi' } }]]);
    const ensure = async (p: PodSnapshot): Promise<string> => {
      set.push(p.spec.resources?.limits?.['memory']);
      // The first time systemd doesn't answer.
      if (set.length === 1) throw new Error('no answer');
      return '/pods';
    };
    Object.assign(node.context, { cgroups: { ...node.context.cgroups, ensure } });
    node.context.allocations.set('u', granted);
    const worker = new PodWorker(snapshot(pod), { context: node.context, signal: new AbortController().signal });
    await node.settle();
    for (let i = 0; i < 2; i++) {
      worker.poke();
      await node.settle();
    }
    expect(set).toEqual(['128Mi', '128Mi']);
    expect(condition(node.status('u'), 'PodResizeInProgress')).toBe('absent');
  });

  it('tells what the whole pod has while it is to have something else', async () => {
    await using node = createFakeNode();
    const spec = (memory: string) => ({
      resources: { requests: { memory }, limits: { memory } },
      containers: [{ name: 'c', image: 'fake:1', command: ['pause'] }],
    });
    const worker = node.start(fakePod(spec('64Mi')));
    await node.settle();
    node.fake.failures.set('updateContainerResources', new RuntimeError('internal', 'no'));
    worker.update(snapshot(fakePod(spec('128Mi'), { generation: 2 })));
    await node.settle();
    const told = () => [node.status('u')?.resources?.limits?.['memory'], node.status('u')?.allocatedResources?.['memory']];
    expect(told()).toEqual(['64Mi', '128Mi']);
    node.fake.failures.clear();
    await node.settle(11_000);
    expect(told()).toEqual(['128Mi', '128Mi']);
  });

  it('tells how a change of resources goes: refused by the runtime, then carried out', async () => {
    await using node = createFakeNode();
    const spec = (cpu: string) => ({
      containers: [{ name: 'c', image: 'fake:1', command: ['pause'], resources: { requests: { cpu }, limits: { cpu } } }],
    });
    const worker = node.start(fakePod(spec('100m')));
    await node.settle();
    node.fake.failures.set('updateContainerResources', new RuntimeError('internal', 'no room in the cgroup'));
    worker.update(snapshot(fakePod(spec('200m'), { generation: 2 })));
    await node.settle();
    expect(node.status('u')?.conditions?.find((c) => c.type === 'PodResizeInProgress')).toMatchObject({
      status: 'True',
      reason: 'Error',
      message: 'no room in the cgroup',
    });
    node.fake.failures.clear();
    await node.settle(11_000);
    expect(condition(node.status('u'), 'PodResizeInProgress')).toBe('absent');
    const resizes = node.events.filter((e) => e.includes(' Resize'));
    expect(resizes.map((e) => e.split(' ')[1])).toEqual(['ResizeStarted', 'ResizeError', 'ResizeCompleted']);
    expect(resizes[2]).toBe(
      'Normal ResizeCompleted Pod resize completed: {"containers":[{"name":"c","resources":{"requests":{"cpu":"200m"},"limits":{"cpu":"200m"}}}],"generation":2}',
    );
  });
});
