import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ConfigMap, Pod, PodStatus } from '@skiff/api';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { createFakeRuntime, type FakeProgram, type FakeRuntime } from '@skiff/cri/fake';
import { BackOff } from '../images/back-off.ts';
import { createImageManager } from '../images/image-manager.ts';
import { openRecords } from '../images/pull-records.fixture.ts';
import { createKubeletMetrics } from '../metrics/kubelet-metrics.ts';
import type { HostMount } from '../host/host-mount.ts';
import { createProbeManager } from '../probe/probe-manager.ts';
import type { ServiceAccountTokens } from '../volumes/service-account-tokens.ts';
import { createVolumeManager } from '../volumes/volume-manager.ts';
import type { Allocation } from '../actions/compute-resize.ts';
import type { PodContext } from './pod-context.ts';
import { type PodSnapshot, snapshotPod } from './pod-snapshot.ts';
import { PodWorker } from './pod-worker.ts';
import { nothingObserved } from '../actions/observed-pod.ts';

/** A node in memory: the fake runtime, a clock that stands still, and a record of what the API would be told. */
export interface FakeNode extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly fake: FakeRuntime;
  readonly context: PodContext;
  /** `type reason [container] message` in order. */
  readonly events: string[];
  readonly configMaps: Map<string, ConfigMap>;
  /** What was last told of a pod. */
  status(uid: string): PodStatus | undefined;
  /** UIDs that were told to be finished. */
  readonly finished: string[];
  start(pod: Pod): PodWorker;
  /** Lets everything that is due happen. */
  settle(ms?: number): Promise<void>;
}

export const fakePod = (spec: Partial<NonNullable<Pod['spec']>>, metadata: Pod['metadata'] = {}): Pod => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u', generation: 1, ...metadata },
  spec: {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    containers: [{ name: 'c', image: 'fake:1', command: ['pause'] }],
    ...spec,
  },
});

export const snapshot = (pod: Pod): PodSnapshot => {
  const made = snapshotPod(pod);
  if (made === undefined) throw new Error('the pod is incomplete');
  return made;
};

/** Rounds without file operations after which nothing more is expected to happen by itself. */
const quietRounds = 10;
/** File operations of real time lie between steps of the fake clock. */
async function quiet(clock: FakeClock): Promise<void> {
  for (let still = 0; still < quietRounds; ) {
    await clock.advance(0);
    await new Promise((resolve) => setTimeout(resolve, 1));
    still = process.getActiveResourcesInfo().some((name) => /^(?:FSReq|CloseReq)/.test(name)) ? 0 : still + 1;
  }
}

export function createFakeNode(
  o: {
    programs?: Readonly<Record<string, FakeProgram>>;
    tokens?: ServiceAccountTokens;
    clock?: FakeClock;
    admission?: Partial<Pick<PodContext, 'admit' | 'makeRoom'>>;
    /** A node whose kubelet was killed: this is the next one on the same runtime and disk. */
    after?: FakeNode;
  } = {},
): FakeNode {
  const clock = o.clock ?? o.after?.clock ?? new FakeClock();
  const fake = o.after?.fake ?? createFakeRuntime({ clock, ...(o.programs === undefined ? {} : { programs: o.programs }) });
  const abort = new AbortController();
  const rootDirectory = o.after?.context.rootDirectory ?? mkdtempSync(path.join(os.tmpdir(), 'kubelet-'));
  const events: string[] = [];
  const statuses = new Map<string, PodStatus>();
  const finished: string[] = [];
  const configMaps = new Map<string, ConfigMap>();
  const workers = new Map<string, PodWorker>();
  const hostMount: HostMount = {
    local: (p) => p,
    mountsBelow: async () => [],
    refresh: async () => undefined,
    tmpfs: async () => undefined,
    bindSubPath: async () => undefined,
    bind: async () => undefined,
    mount: async () => undefined,
    remount: async () => undefined,
    formatAndMount: async () => undefined,
    propagationOf: async () => 'shared',
    unmount: async () => undefined,
    typeOf: async () => 'directory',
    makeDirectory: async () => undefined,
    makeFile: async () => undefined,
  };
  const event: PodContext['event'] = (_pod, type, reason, message, container) =>
    void events.push([type, reason, ...(container === undefined ? [] : [container]), message].join(' '));
  const tokens: ServiceAccountTokens = o.tokens ?? { token: async () => 'token', nextRenewalMs: () => undefined, release: () => undefined };
  const objects: PodContext['objects'] = {
    of: () => ({ configMap: async (_ns, name) => configMaps.get(name), secret: async () => undefined }),
    release: () => undefined,
  };
  const allocations = new Map<string, Allocation>();
  let address = 1;
  const context: PodContext = {
    rootDirectory,
    node: {
      name: 'node',
      addresses: ['192.168.0.1'],
      memoryCapacityBytes: 1024 ** 3,
      allocatable: () => ({ cpu: '4', memory: '1Gi', pods: '110' }),
      recursiveReadOnlyMounts: false,
      runtimeName: 'fake',
    },
    runtime: fake.runtime,
    images: createImageManager(
      { maxParallelPulls: 3 },
      { images: fake.images, clock, records: openRecords, sources: async () => ({ mirrors: [], origin: true }), onPulled: () => undefined },
    ),
    network: {
      setPodCidrs: () => undefined,
      podCidrs: () => [],
      setPeers: () => undefined,
      status: () => ({ ready: true, message: '' }),
      routes: () => ({ ready: true, message: '' }),
      waitReady: async () => undefined,
      allocate: () => [`10.0.0.${++address}`],
      adopt: async () => true,
      attach: async () => undefined,
      detach: async () => undefined,
      release: async () => undefined,
      run: async () => undefined,
    },
    allocations: {
      get: (uid) => allocations.get(uid),
      set: (uid, a) => void allocations.set(uid, a),
      forget: (uid) => void allocations.delete(uid),
    },
    volumes: createVolumeManager(
      { rootDirectory },
      {
        hostMount,
        objects,
        tokens,
        imageVolumes: { mount: async () => ({ path: '/' }), release: async () => undefined, inUse: () => [] },
        persistent: {
          mount: async () => Promise.reject(new Error('there are no claims here')),
          mountInline: async () => Promise.reject(new Error('there are no drivers here')),
          release: async () => undefined,
          isToPublishAgain: () => false,
        },
        clock,
        allocatable: () => ({}),
      },
    ),
    tokens,
    objects,
    cgroups: { ensure: async () => '/pods', remove: async () => undefined, listIdle: async () => [] },
    hostMount,
    logLinks: { link: async () => undefined, unlink: async () => undefined, sweep: async () => undefined },
    probes: createProbeManager({
      runtime: fake.runtime,
      clock,
      log: silentLogger,
      signal: abort.signal,
      event: (pod, container, type, reason, message) => event(pod, type, reason, message, container),
      onChange: (uid) => workers.get(uid)?.poke(),
    }),
    status: {
      get: (uid) => statuses.get(uid),
      set: (pod, status) => void statuses.set(pod.metadata.uid, structuredClone(status)),
      observe: () => undefined,
      finish: (pod) => void finished.push(pod.metadata.uid),
      setMirror: () => undefined,
      forget: () => undefined,
      idle: async () => undefined,
    },
    crashBackOff: new BackOff({ initialMs: 10_000, maxMs: 300_000, clock }),
    security: { seccompDirectory: rootDirectory, seccompDefault: false, seLinuxEnabled: false },
    dns: { cluster: { servers: ['10.96.0.10'], domain: 'cluster.local' }, host: async () => ({ servers: [], searches: [], options: [] }) },
    event,
    metrics: createKubeletMetrics({ nodeName: 'node', startedAtMs: 0 }),
    clock,
    log: silentLogger,
    services: async () => [],
    pullCredentials: () => async () => [],
    runtimeHandler: async () => '',
    drain: async () => undefined,
    admit: () => undefined,
    fits: () => undefined,
    makeRoom: async () => undefined,
    devices: { prepare: async () => [], release: () => undefined, health: () => [] },
    startSlots: { take: async () => ({ [Symbol.dispose]: () => undefined }) },
    ...o.admission,
  };
  const follow = (async () => {
    for await (const e of fake.runtime.events(abort.signal)) if (e.type !== 'resync') workers.get(e.podUid)?.onRuntimeEvent(e);
  })();
  fake.images.local.add('fake:1');
  return {
    clock,
    fake,
    context,
    events,
    configMaps,
    finished,
    status: (uid) => statuses.get(uid),
    start: (pod) => {
      const worker = new PodWorker(snapshot(pod), { context, signal: abort.signal, observed: nothingObserved });
      workers.set(worker.pod.metadata.uid, worker);
      return worker;
    },
    settle: async (ms = 0) => {
      await quiet(clock);
      if (ms === 0) return;
      await clock.advance(ms);
      await quiet(clock);
    },
    [Symbol.asyncDispose]: async () => {
      abort.abort(new Error('the test is over'));
      await follow;
      await context.probes.stopped();
    },
  };
}
