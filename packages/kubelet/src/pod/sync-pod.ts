import type { ContainerResources, ContainerStatus } from '@skiff/cri';
import { computePodActions, type PodActions, type ProbeVerdicts } from '../actions/compute-pod-actions.ts';
import { computeResize } from '../actions/compute-resize.ts';
import { type ObservedPod, runningContainers } from '../actions/observed-pod.ts';
import { asksToRestartAll } from '../actions/restart-policy.ts';
import { Deadline } from '../container/deadline.ts';
import { hashContainer } from '../container/labels.ts';
import { ImageVolumeFailure } from '../volumes/image-volumes.ts';
import { failedMountReason, VolumeError } from '../volumes/volume-manager.ts';
import type { WaitingReason } from '../status/container-statuses.ts';
import { killContainers, killOne, stopSandboxes } from './kill-pod.ts';
import { writeManagedFiles } from './managed-files.ts';
import type { PodContext } from './pod-context.ts';
import { type ContainerSpec, findContainer, formatPod, isHostNetwork, isSidecar, type PodSnapshot } from './pod-snapshot.ts';
import type { ResourceGrant } from './resource-grant.ts';
import { removeAllContainers } from './restart-all.ts';
import { type PreparedPod, prepareContainer, startContainer, StartFailure } from './start-container.ts';
import { startSandbox, type StartedSandbox } from './start-sandbox.ts';
import { defaultGraceSeconds } from './worker-state.ts';

/** How long to wait before trying again what failed without saying when. */
const retryMs = 10_000;
const sandboxRetryMs = 1_000;

export interface SyncResult {
  /** When the pod needs another look on its own account, milliseconds since the epoch. */
  readonly retryAtMs: number | undefined;
  /** The runtime has something else than what was observed before. */
  readonly changed: boolean;
}

export interface SyncInput {
  readonly pod: PodSnapshot;
  readonly observed: ObservedPod;
  readonly waiting: Map<string, WaitingReason>;
  readonly context: PodContext;
  readonly signal: AbortSignal;
  /** Failed attempts at volumes or sandbox in a row; lengthens the wait. */
  readonly failures: number;
  /** IDs of what this sync makes, so that the engine's events about it are no news. */
  readonly made: Set<string>;
  readonly grant: Pick<ResourceGrant, 'inProgress' | 'isAsked' | 'isUnsure' | 'noteInForce'>;
  /** IDs of containers whose start, with its postStart hook, is under way. */
  readonly starting: Set<string>;
  /** Says how the pod is before that is gone. */
  readonly tell: (observed: ObservedPod) => void;
  /** Limits of running containers could not be changed. */
  readonly resizeFailed: (message: string) => void;
}

/** What the plan needs to know of containers beside their state. */
const verdictsOf = (context: PodContext, pod: PodSnapshot, resizing: boolean): ProbeVerdicts => ({
  resizeRestarts: (c, status) => computeResize(pod, c, status, { node: context.node, resizing }).kind === 'restart',
  liveness: (id) => context.probes.reading(id, 'liveness'),
  startup: (id) => context.probes.reading(id, 'startup'),
});

/** A step may make the next one possible (a sidecar that runs now), and our own doing causes no event that counts. */
export function hasMoreToDo(pod: PodSnapshot, observed: ObservedPod, context: PodContext, resizing: boolean): boolean {
  const next = computePodActions(pod, observed, verdictsOf(context, pod, resizing));
  const starts = next.initContainersToStart.length + next.containersToStart.length + next.ephemeralContainersToStart.length;
  return starts + next.containersToKill.size > 0;
}

/** A container killed for its probes may have a grace of its own. */
function graceSecondsOf(pod: PodSnapshot, c: ContainerSpec | undefined, reason: string): number {
  const own = reason === 'LivenessProbe' ? c?.livenessProbe : reason === 'StartupProbe' ? c?.startupProbe : undefined;
  return own?.terminationGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds;
}

async function killUnwanted(o: SyncInput, actions: PodActions): Promise<boolean> {
  const { pod, observed, context } = o;
  if (actions.killPod) {
    const stale = observed.sandboxes.some((s) => s.state === 'ready') || observed.containers.some((c) => c.state === 'running');
    if (actions.createSandbox && actions.sandboxId !== undefined) {
      context.event(pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
    }
    const graceMs = (pod.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds) * 1000;
    if (stale) await killContainers(pod, { observed, deadline: new Deadline(context.clock, graceMs) }, context);
    await stopSandboxes(pod, observed, context);
    // Containers can't be started in another sandbox, and init containers run anew: what is left keeps only its last words.
    if (actions.createSandbox) await Promise.all(observed.sandboxes.map((s) => removeSandboxOnly(s.id, o)));
    return stale || observed.sandboxes.length > 0;
  }
  await Promise.all(
    [...actions.containersToKill].map(async ([id, kill]) => {
      const status = observed.containers.find((c) => c.id === id);
      if (status === undefined) return;
      const graceMs = graceSecondsOf(pod, findContainer(pod, kill.name)?.spec, kill.reason) * 1000;
      await killOne(pod, { status, observed, message: kill.message, deadline: new Deadline(context.clock, graceMs) }, context);
    }),
  );
  return actions.containersToKill.size > 0;
}

/**
 * Changes limits of running containers. The pod's own limits bound those of its containers, so they are written before, as far
 * as they can be, and after. Returns whether anything was changed; throws when something could not be.
 */
async function resizeContainers(o: SyncInput, actions: PodActions): Promise<boolean> {
  const { pod, observed, context } = o;
  const updates = runningContainers(observed).flatMap((status) => {
    const c = findContainer(pod, status.metadata.name)?.spec;
    if (c === undefined || actions.containersToKill.has(status.id)) return [];
    const verdict = computeResize(pod, c, status, { node: context.node, resizing: o.grant.isAsked });
    return verdict.kind === 'update' ? [{ status, resources: verdict.resources }] : [];
  });
  if (updates.length === 0) {
    // What the pod has as a whole may be all that changed.
    if (o.grant.inProgress) await context.cgroups.ensure(pod);
    else if (o.grant.isUnsure) await renewPodLimits(o);
    return false;
  }
  await checkMemoryInUse(o, updates);
  await context.cgroups.ensure(pod).catch(() => undefined);
  for (const { status, resources } of updates) await context.runtime.updateContainerResources(status.id, resources);
  await context.cgroups.ensure(pod);
  return true;
}

/** Once for a pod that was taken over. What fails is tried again when the pod is looked at next. */
async function renewPodLimits({ pod, context, grant, signal }: SyncInput): Promise<void> {
  using _slot = await context.startSlots.take(signal);
  try {
    await context.cgroups.ensure(pod);
    grant.noteInForce();
  } catch (error) {
    context.log.warn({ err: error, pod: pod.metadata.name, namespace: pod.metadata.namespace }, 'limits of the pod could not be renewed');
  }
}

/** A limit below what is in use would kill the container. Throws with upstream's text. */
async function checkMemoryInUse(
  o: SyncInput,
  updates: readonly { readonly status: ContainerStatus; readonly resources: ContainerResources }[],
): Promise<void> {
  for (const { status, resources } of updates) {
    const { memoryLimitBytes: wanted } = resources;
    const actual = status.resources.memoryLimitBytes ?? Number.POSITIVE_INFINITY;
    if (wanted === undefined || wanted >= actual) continue;
    const used = (await o.context.runtime.containerStats(status.id))?.memoryUsageBytes;
    const { name } = status.metadata;
    if (used === undefined) throw new Error(`missing container "${name}" memory usage`);
    if (used >= wanted) throw new Error(`attempting to set container "${name}" memory limit (${wanted}) below current usage (${used})`);
  }
}

/** The containers of an old sandbox stay for their logs; only init containers are removed, since they will run again. */
async function removeSandboxOnly(sandboxId: string, o: SyncInput): Promise<void> {
  const init = new Set((o.pod.spec.initContainers ?? []).map((c) => c.name));
  const stale = o.observed.containers.filter((c) => c.podSandboxId === sandboxId && init.has(c.metadata.name));
  await Promise.all(stale.map((c) => o.context.runtime.removeContainer(c.id)));
}

/** CrashLoopBackOff: a container that ended waits longer each time. Throws StartFailure while it has to. */
function checkBackOff(o: SyncInput, c: ContainerSpec): void {
  const { pod, context } = o;
  // One that was killed just now counts by the one before it.
  const newest = o.observed.containers.find((s) => s.metadata.name === c.name && s.state === 'exited');
  if (newest === undefined) return;
  const key = `${pod.metadata.uid}_${c.name}_${hashContainer(c)}`;
  const untilMs = context.crashBackOff.blockedUntilMs(key, newest.finishedAtMs);
  if (untilMs !== undefined) {
    context.event(pod, 'Warning', 'BackOff', `Back-off restarting failed container ${c.name} in pod ${formatPod(pod)}`, c.name);
    const seconds = context.crashBackOff.delayMs(key) / 1000;
    const text = seconds >= 60 ? `${Math.floor(seconds / 60)}m${seconds % 60}s` : `${seconds}s`;
    throw new StartFailure('CrashLoopBackOff', `back-off ${text} restarting failed container=${c.name} pod=${formatPod(pod)}`, {
      retryAtMs: untilMs,
    });
  }
  context.crashBackOff.next(key, newest.finishedAtMs);
}

/** One previous container is kept for `logs --previous`; older ones go. */
async function pruneOld(o: SyncInput, name: string): Promise<void> {
  const old = o.observed.containers.filter((c: ContainerStatus) => c.metadata.name === name && c.state !== 'running').slice(1);
  await Promise.all(old.map((c) => o.context.runtime.removeContainer(c.id)));
}

/** Sandboxes that ended are kept for the containers in them, as long as these are kept for their logs. */
async function pruneSandboxes(o: SyncInput): Promise<boolean> {
  const { observed, context } = o;
  const old = observed.sandboxes.slice(1).filter((s) => s.state !== 'ready' && !observed.containers.some((c) => c.podSandboxId === s.id));
  await Promise.all(old.map((s) => context.runtime.removePodSandbox(s.id)));
  return old.length > 0;
}

class RetryTimes {
  earliestMs: number | undefined;
  note(atMs: number): void {
    this.earliestMs = this.earliestMs === undefined ? atMs : Math.min(this.earliestMs, atMs);
  }
}

/**
 * Brings a pod from what was observed to what its spec says: kills, makes the sandbox, mounts, pulls, creates, starts. What can
 * overlap does: sandbox, volumes and images; creation while the sandbox starts. Starts, with their postStart hooks, keep the
 * spec's order. Failures are told as waiting reasons and events, not thrown.
 */
export async function syncPod(o: SyncInput): Promise<SyncResult> {
  const { pod, observed, context, signal } = o;
  const actions = computePodActions(pod, observed, verdictsOf(context, pod, o.grant.isAsked));
  if (!actions.killPod && asksToRestartAll(pod, observed)) {
    o.tell(observed);
    await removeAllContainers(pod, observed, context);
    return { retryAtMs: undefined, changed: true };
  }
  let changed = await killUnwanted(o, actions);
  signal.throwIfAborted();
  let resizeRetryAtMs: number | undefined;
  if (!actions.killPod) {
    if (await pruneSandboxes(o)) changed = true;
    try {
      if (await resizeContainers(o, actions)) changed = true;
    } catch (error) {
      signal.throwIfAborted();
      context.log.warn(
        { err: error, pod: pod.metadata.name, namespace: pod.metadata.namespace },
        'limits could not be changed; trying again',
      );
      o.resizeFailed((error as Error).message);
      changed = true;
      resizeRetryAtMs = context.clock.now() + retryMs;
    }
  }
  const toStart = [...actions.ephemeralContainersToStart, ...actions.initContainersToStart, ...actions.containersToStart];
  if (toStart.length === 0) return { retryAtMs: resizeRetryAtMs, changed };
  if (actions.killPod && !actions.createSandbox) return { retryAtMs: undefined, changed };

  using _slot = actions.createSandbox ? await context.startSlots.take(signal) : undefined;
  const retry = new RetryTimes();
  if (resizeRetryAtMs !== undefined) retry.note(resizeRetryAtMs);
  const delayed = (baseMs: number): number => context.clock.now() + Math.min(baseMs * 2 ** Math.min(o.failures, 7), 120_000);
  let sandbox: StartedSandbox | undefined;
  if (actions.createSandbox) {
    try {
      sandbox = await startSandbox(pod, actions.attempt, context, signal);
    } catch (error) {
      sandboxFailed(o, error);
      return { retryAtMs: delayed(sandboxRetryMs), changed };
    }
    changed = true;
  }
  const ips = sandbox?.ips ?? (isHostNetwork(pod) ? context.node.addresses : observed.ips);
  const volumes = context.volumes.mount(pod, { podIPs: ips, hostIPs: context.node.addresses }, signal);
  volumes.catch(() => undefined);
  let files: Promise<ReadonlyMap<string, string>> | undefined;
  const sandboxId = actions.sandboxId ?? '';
  const prepared: PreparedPod = {
    observed,
    ips,
    volumes,
    sandboxCreated: sandbox?.created ?? Promise.resolve(sandboxId),
    sandboxReady: sandbox?.ready ?? Promise.resolve(),
    managedFiles: () => (files ??= writeManagedFiles(pod, ips, context)),
  };

  const start = toStart.map((c) => {
    const created = (async (): Promise<string> => {
      checkBackOff(o, c);
      await pruneOld(o, c.name);
      return prepareContainer(pod, c, prepared, { context, signal });
    })();
    created.catch(() => undefined);
    return { c, created };
  });
  try {
    const status = await prepared.sandboxReady;
    if (typeof status === 'object' && status !== null && 'id' in status) o.made.add(String(status.id));
  } catch (error) {
    await Promise.allSettled(start.map((s) => s.created));
    signal.throwIfAborted();
    sandboxFailed(o, error);
    return { retryAtMs: delayed(sandboxRetryMs), changed: true };
  }
  for (const { c, created } of start) {
    try {
      const id = await created;
      o.made.add(id);
      signal.throwIfAborted();
      changed = true;
      const kill = async (): Promise<void> => {
        const status = await context.runtime.containerStatus(id);
        const graceMs = graceSecondsOf(pod, c, '') * 1000;
        await killOne(pod, { status, observed, message: 'FailedPostStartHook', deadline: new Deadline(context.clock, graceMs) }, context);
      };
      o.starting.add(id);
      await startContainer(pod, c, id, { podIP: ips[0] ?? '', context, signal, kill }).finally(() => o.starting.delete(id));
      o.waiting.delete(c.name);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof VolumeError) {
        noteImageVolume(o, c, error, retry);
        continue;
      }
      if (!(error instanceof StartFailure)) throw error;
      changed = true;
      o.waiting.set(c.name, { reason: error.reason, message: error.message });
      retry.note(error.retryAtMs ?? context.clock.now() + (error.reason === 'RunContainerError' ? 0 : retryMs));
      // An init container that can't start holds up everything after it.
      if (actions.initContainersToStart.includes(c) && !isSidecar(c)) break;
    }
  }
  const volumeFailure = await volumes.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (volumeFailure !== undefined) {
    signal.throwIfAborted();
    context.event(pod, 'Warning', failedMountReason(volumeFailure), (volumeFailure as Error).message);
    retry.note(delayed(500));
  }
  await Promise.allSettled(start.map((s) => s.created));
  return { retryAtMs: retry.earliestMs, changed };
}

/** An image that can't be fetched is told by the containers that mount it. */
function noteImageVolume(o: SyncInput, c: ContainerSpec, error: VolumeError, retry: RetryTimes): void {
  const { cause } = error;
  if (!(cause instanceof ImageVolumeFailure) || !(c.volumeMounts ?? []).some((m) => m.name === error.volume)) return;
  o.waiting.set(c.name, { reason: cause.reason, message: cause.message });
  if (cause.retryAtMs !== undefined) retry.note(cause.retryAtMs);
}

function sandboxFailed(o: SyncInput, error: unknown): void {
  o.signal.throwIfAborted();
  const text = error instanceof Error ? error.message : String(error);
  o.context.metrics.sandboxStartFailed();
  o.context.event(o.pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${text}`);
  o.context.log.warn({ err: error, pod: o.pod.metadata.name, namespace: o.pod.metadata.namespace }, 'the pod sandbox could not be made');
}
