import { describe, expect, it } from 'vitest';
import type { Container, PodSpec } from '@skiff/api';
import type { ContainerStatus, PodSandbox } from '@skiff/cri';
import { hashContainer } from '../container/labels.ts';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { computePodActions, type ProbeVerdicts } from './compute-pod-actions.ts';
import { type ObservedPod, sortObserved } from './observed-pod.ts';

const noProbes: ProbeVerdicts = { liveness: () => undefined, startup: () => undefined };
const app = (name: string, over: Partial<Container> = {}): Container => ({ name, image: 'i:1', ...over });

function pod(spec: Partial<PodSpec>, over: { deleted?: boolean } = {}): PodSnapshot {
  const made = snapshotPod({
    metadata: { name: 'p', namespace: 'n', uid: 'u', ...(over.deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
    spec: { restartPolicy: 'Always', containers: [app('a')], ...spec },
  });
  if (made === undefined) throw new Error('no snapshot');
  return made;
}

const sandbox = (over: Partial<PodSandbox> = {}): PodSandbox => ({
  id: 's0',
  metadata: { name: 'p', namespace: 'n', uid: 'u', attempt: 0 },
  state: 'ready',
  createdAtMs: 1,
  labels: {},
  annotations: {},
  ...over,
});

let clock = 10;
const container = (
  name: string,
  state: ContainerStatus['state'],
  over: Partial<ContainerStatus> & { attempt?: number } = {},
): ContainerStatus => ({
  id: `${name}-${over.attempt ?? 0}`,
  podSandboxId: 's0',
  metadata: { name, attempt: over.attempt ?? 0 },
  image: 'i:1',
  imageId: 'x',
  state,
  createdAtMs: clock++,
  startedAtMs: 1,
  finishedAtMs: 1,
  exitCode: 0,
  reason: '',
  message: '',
  labels: {},
  annotations: { 'io.kubernetes.container.hash': hashContainer(app(name)) },
  resources: {},
  stopSignal: 'SIGTERM',
  ...over,
});

const observed = (sandboxes: PodSandbox[], containers: ContainerStatus[], ips = ['10.0.0.2']): ObservedPod => ({
  ...sortObserved(sandboxes, containers),
  ips,
});

const plan = (p: PodSnapshot, o: ObservedPod, probes = noProbes) => {
  const a = computePodActions(p, o, probes);
  return {
    ...(a.killPod ? { killPod: true } : {}),
    ...(a.createSandbox ? { sandbox: a.attempt } : {}),
    ...(a.initContainersToStart.length > 0 ? { init: a.initContainersToStart.map((c) => c.name) } : {}),
    ...(a.containersToStart.length > 0 ? { start: a.containersToStart.map((c) => c.name) } : {}),
    ...(a.ephemeralContainersToStart.length > 0 ? { ephemeral: a.ephemeralContainersToStart.map((c) => c.name) } : {}),
    ...(a.containersToKill.size > 0 ? { kill: Object.fromEntries([...a.containersToKill].map(([id, k]) => [id, k.message])) } : {}),
  };
};

const nothing = observed([], []);
const two = { containers: [app('a'), app('b')] };
const init = { initContainers: [app('i1'), app('i2')] };
const sidecar = { initContainers: [app('i1'), app('s', { restartPolicy: 'Always' }), app('i3')] };

describe('computePodActions', () => {
  it.each<[string, PodSnapshot, ObservedPod, object]>([
    ['a new pod', pod(two), nothing, { killPod: true, sandbox: 0, start: ['a', 'b'] }],
    [
      'a start that was given up and came late',
      pod({}),
      observed([sandbox()], [container('a', 'running'), container('a', 'running', { attempt: 1 })]),
      { kill: { 'a-0': 'Container a was replaced by a newer one' } },
    ],
    ['a new pod with init containers', pod({ ...two, ...init }), nothing, { killPod: true, sandbox: 0, init: ['i1'] }],
    ['everything runs', pod(two), observed([sandbox()], [container('a', 'running'), container('b', 'running')]), {}],
    ['a sandbox and nothing in it', pod(two), observed([sandbox()], []), { start: ['a', 'b'] }],
    ['one container ended', pod(two), observed([sandbox()], [container('a', 'running'), container('b', 'exited')]), { start: ['b'] }],
    [
      'the sandbox died',
      pod(two),
      observed([sandbox({ state: 'not-ready' })], [container('a', 'exited'), container('b', 'exited')]),
      { killPod: true, sandbox: 1, start: ['a', 'b'] },
    ],
    ['the sandbox has no address', pod({}), observed([sandbox()], [], []), { killPod: true, sandbox: 1, start: ['a'] }],
    ['a pod in the host network needs none', pod({ hostNetwork: true }), observed([sandbox()], [], []), { start: ['a'] }],
    [
      'two sandboxes are one too many',
      pod({}),
      observed([sandbox(), sandbox({ id: 's1', metadata: { name: 'p', namespace: 'n', uid: 'u', attempt: 1 } })], []),
      { killPod: true, sandbox: 2, start: ['a'] },
    ],
    [
      'Never, all done',
      pod({ restartPolicy: 'Never' }),
      observed([sandbox()], [container('a', 'exited', { exitCode: 1 })]),
      { killPod: true },
    ],
    [
      'Never, the sandbox died too',
      pod({ restartPolicy: 'Never' }),
      observed([sandbox({ state: 'not-ready' })], [container('a', 'exited', { exitCode: 1 })]),
      { killPod: true },
    ],
    [
      'OnFailure, failed',
      pod({ restartPolicy: 'OnFailure' }),
      observed([sandbox()], [container('a', 'exited', { exitCode: 1 })]),
      { start: ['a'] },
    ],
    ['OnFailure, succeeded', pod({ restartPolicy: 'OnFailure' }), observed([sandbox()], [container('a', 'exited')]), { killPod: true }],
    [
      'OnFailure in a new sandbox leaves out what succeeded',
      pod({ ...two, restartPolicy: 'OnFailure' }),
      observed([sandbox({ state: 'not-ready' })], [container('a', 'exited'), container('b', 'exited', { exitCode: 1 })]),
      { killPod: true, sandbox: 1, start: ['b'] },
    ],
    [
      'the image changed',
      pod({ containers: [app('a', { image: 'i:2' })] }),
      observed([sandbox()], [container('a', 'running')]),
      { start: ['a'], kill: { 'a-0': 'Container a definition changed, will be restarted' } },
    ],
    ['a deleted pod starts nothing', pod({}, { deleted: true }), observed([sandbox()], [container('a', 'exited')]), { killPod: true }],
    ['a container that was created is started over', pod({}), observed([sandbox()], [container('a', 'created')]), { start: ['a'] }],
    ['first init container runs', pod(init), observed([sandbox()], [container('i1', 'running')]), {}],
    ['first init container done', pod(init), observed([sandbox()], [container('i1', 'exited')]), { init: ['i2'] }],
    ['init done', pod(init), observed([sandbox()], [container('i1', 'exited'), container('i2', 'exited')]), { start: ['a'] }],
    ['first init container was removed', pod(init), observed([sandbox()], [container('i2', 'exited')]), { start: ['a'] }],
    ['init containers were removed later', pod(init), observed([sandbox()], [container('a', 'running')]), {}],
    ['init failed', pod(init), observed([sandbox()], [container('i1', 'exited', { exitCode: 1 })]), { init: ['i1'] }],
    [
      'init failed, Never',
      pod({ ...init, restartPolicy: 'Never' }),
      observed([sandbox()], [container('i1', 'exited', { exitCode: 1 })]),
      { killPod: true },
    ],
    [
      'sidecar runs, next init',
      pod(sidecar),
      observed([sandbox()], [container('i1', 'exited'), container('s', 'running')]),
      { init: ['i3'] },
    ],
    [
      'sidecar died during init',
      pod(sidecar),
      observed([sandbox()], [container('i1', 'exited'), container('s', 'exited'), container('i3', 'running')]),
      { init: ['s'] },
    ],
    [
      'sidecar died later',
      pod(sidecar),
      observed([sandbox()], [container('s', 'exited', { exitCode: 1 }), container('i3', 'exited'), container('a', 'running')]),
      { init: ['s'] },
    ],
    [
      'sidecars do not keep a finished pod alive',
      pod({ ...sidecar, restartPolicy: 'Never' }),
      observed([sandbox()], [container('s', 'running'), container('i3', 'exited'), container('a', 'exited')]),
      { killPod: true },
    ],
    [
      'an ephemeral container is started once',
      pod({ ephemeralContainers: [app('e1'), app('e2')] }),
      observed([sandbox()], [container('a', 'running'), container('e1', 'exited')]),
      { ephemeral: ['e2'] },
    ],
    [
      'its own restart policy wins over the pod’s',
      pod({ restartPolicy: 'Never', containers: [app('a', { restartPolicy: 'OnFailure' })] }),
      observed([sandbox()], [container('a', 'exited', { exitCode: 1 })]),
      { start: ['a'] },
    ],
    [
      'a restart rule by exit code',
      pod({
        restartPolicy: 'Never',
        containers: [
          app('a', { restartPolicy: 'Never', restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] }),
          app('b'),
        ],
      }),
      observed([sandbox()], [container('a', 'exited', { exitCode: 42 }), container('b', 'running')]),
      { start: ['a'] },
    ],
  ])('%s', (_name, p, o, expected) => {
    expect(plan(p, o)).toEqual(expected);
  });

  it('kills what fails its probes, and says whether it comes back', () => {
    const failing: ProbeVerdicts = {
      liveness: (id) => (id === 'a-0' ? 'failure' : undefined),
      startup: (id) => (id === 'b-0' ? 'failure' : undefined),
    };
    const both = observed([sandbox()], [container('a', 'running'), container('b', 'running')]);
    expect(plan(pod(two), both, failing)).toEqual({
      start: ['a', 'b'],
      kill: { 'a-0': 'Container a failed liveness probe, will be restarted', 'b-0': 'Container b failed startup probe, will be restarted' },
    });
    expect(plan(pod({ ...two, restartPolicy: 'Never' }), both, failing)).toEqual({
      killPod: true,
      kill: { 'a-0': 'Container a failed liveness probe', 'b-0': 'Container b failed startup probe' },
    });
  });

  it('keeps what runs when the clock was put back since an earlier container was made', () => {
    const former = container('a', 'exited', { attempt: 3, createdAtMs: 9_000_000 });
    const o = observed([sandbox()], [former, container('a', 'running', { attempt: 4, createdAtMs: 5 })]);
    expect(plan(pod({}), o)).toEqual({});
  });

  it('waits for a sidecar’s startup probe', () => {
    const p = pod({ initContainers: [app('s', { restartPolicy: 'Always', startupProbe: { tcpSocket: { port: 1 } } }), app('i2')] });
    const o = observed([sandbox()], [container('s', 'running')]);
    expect(plan(p, o)).toEqual({});
    expect(plan(p, o, { liveness: () => undefined, startup: () => 'success' })).toEqual({ init: ['i2'] });
    expect(plan(p, o, { liveness: () => undefined, startup: () => 'failure' })).toEqual({
      init: ['s'],
      kill: { 's-0': 'Init container s failed startup probe' },
    });
  });
});
