import type { Probe } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { childSignal, type ChildSignal, type Clock, type Logger } from '@skiff/component-base';
import type { RuntimeService } from '@skiff/cri';
import type { ContainerSpec, PodSnapshot } from '../pod/pod-snapshot.ts';
import { advanceProbe, initialProbeState, type ProbeReading, type ProbeState, type ProbeType } from './probe-state.ts';
import { type ProbeResult, runProbe } from './run-probe.ts';

export interface ProbedContainer {
  readonly pod: PodSnapshot;
  readonly container: ContainerSpec;
  readonly containerId: string;
  readonly startedAtMs: number;
  readonly podIP: string;
  /** What the API says of this very container: a restarted kubelet goes on from there. */
  readonly known?: { readonly ready: boolean; readonly started: boolean };
}

export interface ProbeManager {
  /** Begins to probe a running container; again for the same one changes nothing. */
  start(target: ProbedContainer): void;
  /** A pod that ends is probed for readiness only. */
  stopLivenessAndStartup(podUid: string): void;
  /** Stops probing containers of the pod other than these. */
  keepOnly(podUid: string, containerIds: ReadonlySet<string>): void;
  /** undefined: the container has no such probe. */
  reading(containerId: string, type: ProbeType): ProbeReading | undefined;
  stopped(): Promise<void>;
}

type EventSink = (pod: PodSnapshot, container: string, type: 'Normal' | 'Warning', reason: string, message: string) => void;

/** Exec probes cost a process each; so many run at once on a node. */
const maxExecProbes = 4;
/** Share of their period by which their turns vary. */
const execJitter = 0.1;
const names: Readonly<Record<ProbeType, string>> = { liveness: 'Liveness', readiness: 'Readiness', startup: 'Startup' };

interface Worker {
  readonly podUid: string;
  readonly type: ProbeType;
  readonly child: ChildSignal;
  state: ProbeState;
  /** Wakes the worker before its time. */
  wake: () => void;
  done: Promise<void>;
}

export function createProbeManager(deps: {
  runtime: RuntimeService;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  event: EventSink;
  /** A reading changed. */
  onChange: (podUid: string) => void;
  /** Of each probe that was made. */
  measured?: (
    pod: PodSnapshot,
    o: { container: string; type: ProbeType; result: 'successful' | 'failed' | 'unknown'; seconds: number },
  ) => void;
}): ProbeManager {
  const { clock } = deps;
  const workers = new Map<string, { readonly podUid: string; readonly probes: Map<ProbeType, Worker> }>();
  let execRunning = 0;
  const execQueue: (() => void)[] = [];

  const limited = async <T>(probe: DeepReadonly<Probe>, run: () => Promise<T>): Promise<T> => {
    if (probe.exec === undefined) return run();
    if (execRunning >= maxExecProbes) await new Promise<void>((resolve) => execQueue.push(resolve));
    else execRunning += 1;
    try {
      return await run();
    } finally {
      const next = execQueue.shift();
      if (next === undefined) execRunning -= 1;
      else next();
    }
  };
  const reading = (containerId: string, type: ProbeType): ProbeReading | undefined =>
    workers.get(containerId)?.probes.get(type)?.state.reading;

  const report = (target: ProbedContainer, type: ProbeType, result: ProbeResult): void => {
    const say = (reason: string, message: string): void => deps.event(target.pod, target.container.name, 'Warning', reason, message);
    if (result.outcome === 'failure') say('Unhealthy', `${names[type]} probe failed: ${result.output}`);
    else if (result.outcome === 'warning') say('ProbeWarning', `${names[type]} probe warning: ${result.output}`);
    else if (result.outcome === 'unknown') say('Unhealthy', `${names[type]} probe errored and resulted in unknown state: ${result.output}`);
  };
  const settle = (worker: Worker, target: ProbedContainer, probe: DeepReadonly<Probe>, result: ProbeResult): void => {
    report(target, worker.type, result);
    if (result.outcome === 'unknown') return;
    const before = worker.state.reading;
    worker.state = advanceProbe(worker.state, result.outcome === 'failure' ? 'failure' : 'success', probe);
    if (worker.state.reading === before) return;
    deps.onChange(worker.podUid);
    // What waited for the start need not wait for its next turn.
    if (worker.type === 'startup' && worker.state.reading === 'success')
      for (const other of workers.get(target.containerId)?.probes.values() ?? []) other.wake();
  };

  const pause = async (worker: Worker, ms: number): Promise<void> => {
    const { signal } = worker.child;
    using nap = childSignal(signal);
    worker.wake = () => nap.abort();
    await clock.sleep(ms, nap.signal).catch(() => undefined);
    worker.wake = () => undefined;
  };
  const loop = async (worker: Worker, target: ProbedContainer, probe: DeepReadonly<Probe>): Promise<void> => {
    const { signal } = worker.child;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    const firstAtMs = target.startedAtMs + (probe.initialDelaySeconds ?? 0) * 1000;
    // Containers that came up together must not start their processes together for ever.
    const spread = (): number => (probe.exec === undefined ? 1 : 1 + (Math.random() - 0.5) * execJitter);
    // After a restart of the kubelet, spread what would fall together.
    if (target.known !== undefined) await pause(worker, Math.random() * Math.min(periodMs, 10_000));
    while (!signal.aborted) {
      const waitMs = firstAtMs - clock.now();
      if (waitMs > 0) {
        await pause(worker, waitMs);
        continue;
      }
      const beganMs = clock.monotonicMs();
      const started = reading(target.containerId, 'startup');
      const runs = worker.type === 'startup' ? started !== 'success' : started === undefined || started === 'success';
      if (runs) {
        const o = { runtime: deps.runtime, timeoutMs: (probe.timeoutSeconds ?? 1) * 1000, signal };
        const result = await limited(probe, () =>
          signal.aborted ? Promise.reject(new Error('stopped')) : runProbe(probe, target, o),
        ).catch(() => undefined);
        if (signal.aborted || result === undefined) return;
        deps.measured?.(target.pod, {
          container: target.container.name,
          type: worker.type,
          result: result.outcome === 'failure' ? 'failed' : result.outcome === 'unknown' ? 'unknown' : 'successful',
          seconds: (clock.monotonicMs() - beganMs) / 1000,
        });
        settle(worker, target, probe, result);
        if (worker.type === 'startup' && worker.state.reading !== 'unknown') return;
        // A container that failed for good is killed; it is not asked again.
        if (worker.type === 'liveness' && worker.state.reading === 'failure') return;
      }
      // Periods count from beginning to beginning, as upstream's.
      await pause(worker, Math.max(0, beganMs + periodMs * spread() - clock.monotonicMs()));
    }
  };
  const startOne = (target: ProbedContainer, type: ProbeType, probe: DeepReadonly<Probe> | undefined): Worker | undefined => {
    if (probe === undefined) return undefined;
    let state = initialProbeState(type);
    if (target.known !== undefined) {
      if (type === 'readiness' && target.known.ready) state = { ...state, reading: 'success' };
      if (type === 'startup' && target.known.started) state = { ...state, reading: 'success' };
    }
    const child = childSignal(deps.signal);
    const worker: Worker = { podUid: target.pod.metadata.uid, type, child, state, wake: () => undefined, done: Promise.resolve() };
    return worker;
  };
  const stop = (worker: Worker): void => {
    worker.child.abort(new Error('the probe is not needed any more'));
    worker.child[Symbol.dispose]();
  };

  return {
    reading,
    start: (target) => {
      if (workers.has(target.containerId)) return;
      const mine = new Map<ProbeType, Worker>();
      workers.set(target.containerId, { podUid: target.pod.metadata.uid, probes: mine });
      const { startupProbe, readinessProbe, livenessProbe } = target.container;
      for (const [type, probe] of [
        ['startup', startupProbe],
        ['readiness', readinessProbe],
        ['liveness', livenessProbe],
      ] as const) {
        const worker = startOne(target, type, probe);
        if (worker === undefined || probe === undefined) continue;
        mine.set(type, worker);
        if (type === 'startup' && worker.state.reading === 'success') continue;
        worker.done = loop(worker, target, probe);
      }
    },
    stopLivenessAndStartup: (podUid) => {
      for (const c of workers.values()) if (c.podUid === podUid) for (const w of c.probes.values()) if (w.type !== 'readiness') stop(w);
    },
    keepOnly: (podUid, containerIds) => {
      for (const [id, c] of workers) {
        if (c.podUid !== podUid || containerIds.has(id)) continue;
        for (const w of c.probes.values()) stop(w);
        workers.delete(id);
      }
    },
    stopped: async () => {
      await Promise.all([...workers.values()].flatMap((c) => [...c.probes.values()].map((w) => w.done)));
    },
  };
}
