import { childSignal, type Clock, type Logger } from '@skiff/component-base';
import type { ContainerStatus, RuntimeService } from '@skiff/cri';
import { type ContainerSpec, initContainersOf, isSidecar, type PodSnapshot } from '../pod/pod-snapshot.ts';
import type { Deadline } from './deadline.ts';
import { runLifecycleHook } from './lifecycle-hooks.ts';

/** However short the grace, a process gets so long between SIGTERM and SIGKILL (upstream's minimum). */
const minimumWindowMs = 2000;

export interface KillDependencies {
  readonly runtime: RuntimeService;
  readonly clock: Clock;
  readonly log: Logger;
  readonly event: (pod: PodSnapshot, container: string, type: 'Normal' | 'Warning', reason: string, message: string) => void;
}

export interface KillRequest {
  readonly pod: PodSnapshot;
  readonly spec: ContainerSpec;
  readonly status: ContainerStatus;
  readonly podIP: string;
  readonly message: string;
  readonly deadline: Deadline;
  /** Resolves when it is this container's turn to get its signal. */
  readonly turn?: Promise<void>;
  /** Aborts when the kubelet ends: the container is left as it is, for the next kubelet to go on with. */
  readonly signal?: AbortSignal;
}

async function runPreStop(r: KillRequest, deps: KillDependencies, parent: AbortSignal): Promise<void> {
  const handler = r.spec.lifecycle?.preStop;
  if (handler === undefined || r.deadline.remainingMs() === 0) return;
  using child = childSignal(parent);
  const target = { container: r.spec, containerId: r.status.id, podIP: r.podIP };
  const hook = runLifecycleHook(handler, target, { runtime: deps.runtime, clock: deps.clock, signal: child.signal }).catch(
    (error: unknown) => {
      if (child.signal.aborted) return;
      // The event leaves out what the handler said: it may be secret.
      deps.event(r.pod, r.spec.name, 'Warning', 'FailedPreStopHook', 'PreStopHook failed');
      deps.log.warn({ err: error, container: r.spec.name }, 'the preStop hook failed');
    },
  );
  if (await r.deadline.wait(hook)) child.abort(new Error('the grace period is over'));
}

/** preStop, turn, stop signal, wait, SIGKILL. Resolves when the container doesn't run any more; throws when its signal aborts. */
export async function killContainer(r: KillRequest, deps: KillDependencies): Promise<void> {
  const { runtime } = deps;
  const { id } = r.status;
  deps.event(r.pod, r.spec.name, 'Normal', 'Killing', r.message === '' ? `Stopping container ${r.spec.name}` : r.message);
  using child = childSignal(r.signal ?? new AbortController().signal);
  const ended = runtime.waitContainer(id, child.signal);
  ended.catch(() => undefined);
  try {
    await runPreStop(r, deps, child.signal);
    if (r.turn !== undefined) await r.deadline.wait(Promise.race([r.turn, ended]));
    child.signal.throwIfAborted();
    await runtime.signalContainer(id, r.spec.lifecycle?.stopSignal ?? r.status.stopSignal);
    const late = await r.deadline.wait(ended, minimumWindowMs);
    child.signal.throwIfAborted();
    if (late) await runtime.signalContainer(id, 'SIGKILL');
    await ended;
  } finally {
    child.abort(new Error('done'));
  }
}

/**
 * When each running container gets its signal (KEP-753): app containers and plain init containers at once; sidecars after all
 * app containers are gone, the last one first.
 */
export function planTurns(
  pod: PodSnapshot,
  running: readonly string[],
): { turn: (name: string) => Promise<void> | undefined; ended: (name: string) => void } {
  const gone = new Map<string, { promise: Promise<void>; resolve: () => void }>();
  for (const name of running) {
    let resolve: () => void = () => undefined;
    const promise = new Promise<void>((r) => {
      resolve = r;
    });
    gone.set(name, { promise, resolve });
  }
  const sidecars = initContainersOf(pod).filter(isSidecar);
  return {
    turn: (name) => {
      const position = sidecars.findIndex((c) => c.name === name);
      if (position < 0) return undefined;
      const later = new Set(sidecars.slice(0, position + 1).map((c) => c.name));
      return Promise.all([...gone].filter(([other]) => !later.has(other)).map(([, g]) => g.promise)).then(() => undefined);
    },
    ended: (name) => gone.get(name)?.resolve(),
  };
}
