import type { ContainerStatus } from '@skiff/cri';
import {
  type ContainerSpec,
  ephemeralContainersOf,
  initContainersOf,
  isHostNetwork,
  isSidecar,
  type PodSnapshot,
} from '../pod/pod-snapshot.ts';
import { hashContainer } from '../container/labels.ts';
import { newestContainer, type ObservedPod, runningContainers } from './observed-pod.ts';
import { restartsAfterKill, shouldBeStarted, shouldRestartAfter } from './restart-policy.ts';

export type ProbeVerdict = 'success' | 'failure' | 'unknown';
/** What probes say of a container by its ID; undefined: not probed. */
export interface ProbeVerdicts {
  /** A change of resources that this container only gets by a restart. */
  resizeRestarts?(c: ContainerSpec, status: ContainerStatus): boolean;
  liveness(containerId: string): ProbeVerdict | undefined;
  startup(containerId: string): ProbeVerdict | undefined;
}

export type KillReason = 'LivenessProbe' | 'StartupProbe' | 'Unknown' | '';
export interface ContainerToKill {
  readonly name: string;
  readonly message: string;
  readonly reason: KillReason;
}

export interface PodActions {
  /** Stop everything of the pod. With `createSandbox`, start over after that. */
  readonly killPod: boolean;
  readonly createSandbox: boolean;
  /** Attempt of the sandbox that is to be created or is in use. */
  readonly attempt: number;
  readonly sandboxId: string | undefined;
  readonly initContainersToStart: readonly ContainerSpec[];
  readonly containersToStart: readonly ContainerSpec[];
  readonly ephemeralContainersToStart: readonly ContainerSpec[];
  readonly containersToKill: ReadonlyMap<string, ContainerToKill>;
}

interface Draft {
  killPod: boolean;
  init: ContainerSpec[];
  app: ContainerSpec[];
  ephemeral: ContainerSpec[];
  kill: Map<string, ContainerToKill>;
}

/** Whether the pod needs a (new) sandbox, and the attempt it would have. */
export function checkSandbox(
  pod: PodSnapshot,
  observed: ObservedPod,
): { changed: boolean; attempt: number; sandboxId: string | undefined } {
  const newest = observed.sandboxes[0];
  if (newest === undefined) return { changed: true, attempt: 0, sandboxId: undefined };
  const next = newest.metadata.attempt + 1;
  const ready = observed.sandboxes.filter((s) => s.state === 'ready').length;
  if (ready !== 1 || newest.state !== 'ready') return { changed: true, attempt: next, sandboxId: newest.id };
  if (!isHostNetwork(pod) && observed.ips.length === 0) return { changed: true, attempt: next, sandboxId: newest.id };
  return { changed: false, attempt: newest.metadata.attempt, sandboxId: newest.id };
}

export const definitionChanged = (spec: ContainerSpec, status: ContainerStatus): boolean => {
  const hash = status.annotations['io.kubernetes.container.hash'];
  return hash !== undefined && hash !== hashContainer(spec);
};

const podRestarts = (pod: PodSnapshot): boolean => pod.spec.restartPolicy !== 'Never';
const succeeded = (c: ContainerStatus | undefined): boolean => c?.state === 'exited' && c.exitCode === 0;
const runsOnce = (c: ContainerSpec, pod: PodSnapshot): boolean => (c.restartPolicy ?? pod.spec.restartPolicy) === 'OnFailure';

/** What has to be done to bring the pod from what was observed to what its spec says. Pure; nothing here looks at a clock. */
export function computePodActions(pod: PodSnapshot, observed: ObservedPod, probes: ProbeVerdicts): PodActions {
  const sandbox = checkSandbox(pod, observed);
  const draft: Draft = { killPod: sandbox.changed, init: [], app: [], ephemeral: [], kill: new Map() };
  const finish = (createSandbox: boolean): PodActions => ({
    killPod: draft.killPod,
    createSandbox,
    attempt: sandbox.attempt,
    sandboxId: sandbox.sandboxId,
    initContainersToStart: draft.init,
    containersToStart: draft.app,
    ephemeralContainersToStart: draft.ephemeral,
    containersToKill: draft.kill,
  });
  if (sandbox.changed) return finish(planFreshPod(pod, observed, sandbox.attempt, draft));

  // A runtime that hung may carry out a start that was given up long ago.
  for (const c of runningContainers(observed)) {
    if (newestContainer(observed, c.metadata.name)?.id !== c.id)
      draft.kill.set(c.id, { name: c.metadata.name, message: `Container ${c.metadata.name} was replaced by a newer one`, reason: '' });
  }
  for (const c of ephemeralContainersOf(pod)) if (newestContainer(observed, c.name) === undefined) draft.ephemeral.push(c);
  const initialized = planInitContainers(pod, observed, probes, draft);
  if (draft.killPod || !initialized) return finish(false);

  let kept = 0;
  for (const c of pod.spec.containers) if (planContainer(c, { pod, observed, probes, draft }) === 'keep') kept += 1;
  if (kept === 0 && draft.app.length === 0) {
    // Everything is done; sidecars must not keep the pod alive.
    draft.killPod = true;
    draft.init = [];
  }
  return finish(false);
}

/** Without a usable sandbox everything starts over, unless the pod is done. Returns whether a sandbox is to be made. */
function planFreshPod(pod: PodSnapshot, observed: ObservedPod, attempt: number, draft: Draft): boolean {
  if (!podRestarts(pod) && attempt !== 0 && observed.containers.length > 0) return false;
  const toStart = pod.spec.containers.filter((c) => !(runsOnce(c, pod) && succeeded(newestContainer(observed, c.name))));
  const initializedOnce = pod.spec.containers.some((c) => newestContainer(observed, c.name) !== undefined);
  if (toStart.length === 0 && initializedOnce) return false;
  const firstInit = initContainersOf(pod)[0];
  if (firstInit !== undefined) draft.init.push(firstInit);
  else draft.app.push(...toStart);
  return true;
}

function planContainer(
  c: ContainerSpec,
  o: { pod: PodSnapshot; observed: ObservedPod; probes: ProbeVerdicts; draft: Draft },
): 'keep' | 'start' | 'leave' {
  const { pod, observed, probes, draft } = o;
  const status = newestContainer(observed, c.name);
  if (status === undefined || status.state !== 'running') {
    if (!shouldBeStarted(c, pod, observed)) return 'leave';
    draft.app.push(c);
    if (status?.state === 'unknown') {
      draft.kill.set(status.id, {
        name: c.name,
        message: `Container is in "unknown" state, try killing it before restart`,
        reason: 'Unknown',
      });
    }
    return 'start';
  }
  const verdict = killVerdict('Container', c, status, probes);
  if (verdict === undefined) return 'keep';
  const restart = verdict.changed || restartsAfterKill(c, pod);
  if (restart) draft.app.push(c);
  draft.kill.set(status.id, {
    name: c.name,
    message: restart ? `${verdict.message}, will be restarted` : verdict.message,
    reason: verdict.reason,
  });
  return restart ? 'start' : 'leave';
}

function killVerdict(
  what: string,
  c: ContainerSpec,
  status: ContainerStatus,
  probes: ProbeVerdicts,
): { message: string; reason: KillReason; changed: boolean } | undefined {
  if (definitionChanged(c, status)) return { message: `${what} ${c.name} definition changed`, reason: '', changed: true };
  if (probes.liveness(status.id) === 'failure')
    return { message: `${what} ${c.name} failed liveness probe`, reason: 'LivenessProbe', changed: false };
  if (probes.startup(status.id) === 'failure')
    return { message: `${what} ${c.name} failed startup probe`, reason: 'StartupProbe', changed: false };
  if (probes.resizeRestarts?.(c, status) === true)
    return { message: `${what} ${c.name} resize requires restart`, reason: '', changed: true };
  return undefined;
}

/**
 * Init containers run one after the other; sidecars (restartPolicy Always) count as done once started and are kept running.
 * Looked at from the last one back, since earlier ones may have been removed. Returns whether app containers may run.
 */
function planInitContainers(pod: PodSnapshot, observed: ObservedPod, probes: ProbeVerdicts, draft: Draft): boolean {
  const list = initContainersOf(pod);
  if (list.length === 0) return true;
  let initialized = pod.spec.containers.some((c) => {
    const state = newestContainer(observed, c.name)?.state;
    return state === 'created' || state === 'running';
  });
  // Whether init containers before the one at hand are over: then only their sidecars matter.
  let before = initialized;
  const start = new Set<number>();

  for (let i = list.length - 1; i >= 0; i--) {
    const c = list[i] as ContainerSpec;
    const status = newestContainer(observed, c.name);
    if (status === undefined) {
      if (before && isSidecar(c)) start.add(i);
      continue;
    }
    if (before && !isSidecar(c)) continue;
    const first = !before;
    const done = (): void => {
      if (i === list.length - 1) initialized = true;
      else if (first) start.add(i + 1);
    };
    if (isSidecar(c)) planSidecar(c, { status, probes, kill: draft.kill, restart: () => start.add(i), done });
    else if (status.state === 'exited') {
      if (status.exitCode === 0) done();
      else if (shouldRestartAfter(c, pod, status.exitCode)) start.add(i);
      else {
        draft.killPod = true;
        draft.init = [];
        return false;
      }
    } else if (status.state === 'created') start.add(i);
    else if (status.state === 'unknown') {
      if (!podRestarts(pod)) {
        draft.killPod = true;
        draft.init = [];
        return false;
      }
      draft.kill.set(status.id, {
        name: c.name,
        message: `Init container is in "unknown" state, try killing it before restart`,
        reason: 'Unknown',
      });
      start.add(i);
    }
    before = true;
  }
  if (!before) start.add(0);
  for (const i of [...start].sort((a, b) => a - b)) draft.init.push(list[i] as ContainerSpec);
  return initialized;
}

function planSidecar(
  c: ContainerSpec,
  o: {
    status: ContainerStatus;
    probes: ProbeVerdicts;
    kill: Map<string, ContainerToKill>;
    restart: () => void;
    done: () => void;
  },
): void {
  const { status, probes, kill } = o;
  if (status.state !== 'running') {
    if (status.state === 'unknown') {
      kill.set(status.id, {
        name: c.name,
        message: `Init container is in "unknown" state, try killing it before restart`,
        reason: 'Unknown',
      });
    }
    o.restart();
    return;
  }
  const startup = c.startupProbe === undefined ? 'success' : (probes.startup(status.id) ?? 'unknown');
  const verdict = killVerdict('Init container', c, status, probes);
  if (verdict !== undefined && (startup === 'success' || verdict.reason === 'StartupProbe')) {
    kill.set(status.id, { name: c.name, message: verdict.message, reason: verdict.reason });
    o.restart();
  }
  if (startup === 'success') o.done();
}
