import type { ContainerStatus, PodCondition, PodStatus } from '@skiff/api';
import { computePodQOSClass } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { endsAll, mayRestartAll } from '../actions/restart-policy.ts';
import { checkSandbox } from '../actions/compute-pod-actions.ts';
import { newestContainer, type ObservedPod } from '../actions/observed-pod.ts';
import {
  ephemeralContainersOf,
  findContainer,
  initContainersOf,
  isHostNetwork,
  isSidecar,
  isStaticPod,
  isTerminalPhase,
  type PodSnapshot,
} from '../pod/pod-snapshot.ts';
import type { NodeFacts } from '../pod/pod-context.ts';
import { allContainersRestarting, containersReady, kubeletConditions, podInitialized, podReady, stampCondition } from './conditions.ts';
import { generateContainerStatuses, type WaitingReason } from './container-statuses.ts';
import { computePhase } from './phase.ts';

/** What the probes of a container say; undefined: it is not probed (yet, any more, or at all). */
export interface ProbeReadings {
  started(containerId: string): boolean | undefined;
  ready(containerId: string): boolean | undefined;
}

export interface StatusInput {
  readonly pod: PodSnapshot;
  readonly observed: ObservedPod;
  /** What was last told, else the API's own. */
  readonly previous: DeepReadonly<PodStatus>;
  /** Of a container's devices. */
  readonly devices: (name: string) => NonNullable<ContainerStatus['allocatedResourcesStatus']>;
  readonly node: Pick<NodeFacts, 'runtimeName' | 'recursiveReadOnlyMounts'>;
  readonly hostIPs: readonly string[];
  /** RFC 3339, seconds. */
  readonly now: string;
  readonly waiting: (name: string) => WaitingReason | undefined;
  readonly probes: ProbeReadings;
  /** No container will be started again. */
  readonly terminal: boolean;
  /** A change of resources that is not carried out (yet). */
  readonly resize?: { readonly type: 'PodResizePending' | 'PodResizeInProgress'; readonly reason?: string; readonly message?: string };
  /** While other resources of the pod as a whole are granted, and not in force: those that are. */
  readonly wholeInForce?: PodSnapshot['spec']['resources'];
  /** The pod was refused or is evicted: phase Failed with these. */
  readonly failure?: {
    readonly reason: string;
    readonly message: string;
    /** The node did not take it in: nothing is told of its containers, as nothing came of them. */
    readonly refused?: boolean;
    /** `message`: the failure's own when absent. */
    readonly condition?: { readonly type: string; readonly reason: string; readonly message?: string };
  };
}

const bareId = (status: ContainerStatus): string => (status.containerID ?? '').replace(/^[^:]+:\/\//, '');

/** A container that has a probe is what was said of it last until the probe speaks, and nothing good before that. */
function applyProbes(pod: PodSnapshot, status: PodStatus, probes: ProbeReadings, previous: DeepReadonly<PodStatus>): void {
  const told = [...(previous.containerStatuses ?? []), ...(previous.initContainerStatuses ?? [])];
  const judge = (s: ContainerStatus): void => {
    const running = s.state?.running !== undefined;
    const spec = findContainer(pod, s.name)?.spec;
    const before = told.find((t) => t.name === s.name && t.containerID === s.containerID);
    s.started = running && (probes.started(bareId(s)) ?? (spec?.startupProbe === undefined || before?.started === true));
    s.ready = s.started && (probes.ready(bareId(s)) ?? (spec?.readinessProbe === undefined || before?.ready === true));
  };
  for (const s of status.containerStatuses ?? []) judge(s);
  for (const s of status.initContainerStatuses ?? []) {
    const spec = initContainersOf(pod).find((c) => c.name === s.name);
    if (spec !== undefined && isSidecar(spec)) judge(s);
    else {
      s.started = false;
      s.ready = s.state?.terminated?.exitCode === 0;
    }
  }
}

const appContainerHasRun = (pod: PodSnapshot, observed: ObservedPod): boolean => {
  const sandboxId = observed.sandboxes[0]?.id;
  return pod.spec.containers.some((c) => {
    const found = newestContainer(observed, c.name);
    return found !== undefined && found.podSandboxId === sandboxId && found.startedAtMs > 0;
  });
};

function addresses(o: StatusInput): Pick<PodStatus, 'podIP' | 'podIPs' | 'hostIP' | 'hostIPs'> {
  const ips = isHostNetwork(o.pod) ? o.hostIPs : o.observed.ips;
  const [podIP] = ips;
  const [hostIP] = o.hostIPs;
  return {
    ...(hostIP === undefined ? {} : { hostIP, hostIPs: o.hostIPs.map((ip) => ({ ip })) }),
    ...(podIP === undefined ? {} : { podIP, podIPs: ips.map((ip) => ({ ip })) }),
  };
}

function generateConditions(o: StatusInput, phase: string, statuses: readonly ContainerStatus[]): PodCondition[] {
  const disrupted = o.failure?.condition;
  const others = (o.pod.status.conditions ?? []).filter((c) => !kubeletConditions.has(c.type) && c.type !== disrupted?.type);
  const stamp = (type: string, verdict: Parameters<typeof stampCondition>[1]): PodCondition =>
    stampCondition(type, verdict, { previous: o.previous.conditions ?? [], generation: o.pod.metadata.generation, now: o.now });
  return [
    ...(structuredClone(others) as PodCondition[]),
    ...(disrupted === undefined
      ? []
      : [stamp(disrupted.type, { status: 'True', reason: disrupted.reason, message: disrupted.message ?? o.failure?.message ?? '' })]),
    ...(o.resize === undefined ? [] : [stamp(o.resize.type, { status: 'True', ...o.resize })]),
    stamp('PodReadyToStartContainers', { status: checkSandbox(o.pod, o.observed).changed ? 'False' : 'True' }),
    stamp('Initialized', podInitialized(o.pod, statuses, phase)),
    stamp('Ready', podReady(o.pod, statuses, phase, others)),
    stamp('ContainersReady', containersReady(o.pod, statuses, phase)),
    stamp('PodScheduled', { status: 'True' }),
    ...(mayRestartAll(o.pod) ? [stamp('AllContainersRestarting', allContainersRestarting(o.pod, o.observed, phase))] : []),
  ];
}

/** What the pod as a whole was granted (KEP-5419), where it asks as a whole. */
function renderPodResources({ pod, wholeInForce }: StatusInput): Pick<PodStatus, 'resources' | 'allocatedResources'> {
  const { resources } = pod.spec;
  if (resources === undefined) return {};
  return {
    resources: structuredClone(wholeInForce ?? resources) as NonNullable<PodStatus['resources']>,
    ...(resources.requests === undefined ? {} : { allocatedResources: { ...resources.requests } }),
  };
}

/** Whether a container that made all others start over was removed, with them, since the last status. */
function startsOver({ pod, observed, previous }: StatusInput): boolean {
  const told = [...(previous.initContainerStatuses ?? []), ...(previous.containerStatuses ?? [])];
  return [...initContainersOf(pod), ...pod.spec.containers].some((c) => {
    const exitCode = told.find((s) => s.name === c.name)?.state?.terminated?.exitCode;
    return exitCode !== undefined && endsAll(c, exitCode) && newestContainer(observed, c.name) === undefined;
  });
}

/** The whole status that the kubelet reports for a pod. Pure. */
export function generateStatus(o: StatusInput): PodStatus {
  const { pod, observed, previous } = o;
  if (o.failure?.refused === true && observed.containers.length === 0) {
    return {
      ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
      startTime: previous.startTime ?? pod.status.startTime ?? o.now,
      qosClass: pod.status.qosClass ?? computePodQOSClass(pod.spec),
      phase: 'Failed',
      reason: o.failure.reason,
      message: o.failure.message,
      conditions: structuredClone(pod.status.conditions ?? []) as PodCondition[],
    };
  }
  const common = { pod, observed, node: o.node, restarting: startsOver(o), waiting: o.waiting };
  const initContainerStatuses = generateContainerStatuses({
    ...common,
    type: 'init',
    containers: initContainersOf(pod),
    previous: previous.initContainerStatuses ?? [],
  });
  const containerStatuses = generateContainerStatuses({
    ...common,
    type: 'app',
    containers: pod.spec.containers,
    previous: previous.containerStatuses ?? [],
  });
  const ephemeralContainerStatuses = generateContainerStatuses({
    ...common,
    type: 'ephemeral',
    containers: ephemeralContainersOf(pod),
    previous: previous.ephemeralContainerStatuses ?? [],
  });
  const status: PodStatus = {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    ...addresses(o),
    startTime: previous.startTime ?? pod.status.startTime ?? o.now,
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses,
    ...(ephemeralContainerStatuses.length === 0 ? {} : { ephemeralContainerStatuses }),
    qosClass: pod.status.qosClass ?? computePodQOSClass(pod.spec),
    ...renderPodResources(o),
  };
  applyProbes(pod, status, o.probes, previous);
  if (o.terminal && wasInitialized(pod, status)) for (const s of containerStatuses) endWithoutStart(s);
  for (const c of containerStatuses) {
    const devices = o.devices(c.name);
    if (devices.length > 0) c.allocatedResourcesStatus = devices;
  }
  const statuses = [...initContainerStatuses, ...containerStatuses];
  const phase = choosePhase(o, computePhase(pod, statuses, { terminal: o.terminal, initialized: appContainerHasRun(pod, observed) }));
  status.phase = phase;
  // While containers still run the pod is not over yet, whatever will be said of it.
  if (o.failure !== undefined && phase === 'Failed') {
    status.reason = o.failure.reason;
    status.message = o.failure.message;
  } else if (phase === previous.phase) {
    const reason = previous.reason ?? pod.status.reason;
    const message = previous.message ?? pod.status.message;
    if (reason !== undefined) status.reason = reason;
    if (message !== undefined) status.message = message;
  }
  status.conditions = generateConditions(o, phase, statuses);
  return status;
}

/** Whether the turn of the app containers had come. */
function wasInitialized(pod: PodSnapshot, status: PodStatus): boolean {
  const last = initContainersOf(pod).at(-1);
  if (last === undefined) return true;
  if ((status.containerStatuses ?? []).some((s) => s.state?.waiting === undefined || s.lastState?.terminated !== undefined)) return true;
  const init = status.initContainerStatuses?.find((s) => s.name === last.name);
  return isSidecar(last) ? init?.started === true : init?.state?.terminated?.exitCode === 0;
}

/** A container that will never be started has no outcome of its own: it counts as failed. */
function endWithoutStart(s: ContainerStatus): void {
  if (s.state?.terminated !== undefined || s.state?.running !== undefined) return;
  const message = 'The container could not be located when the pod was terminated';
  s.state = { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', message, startedAt: null, finishedAt: null } };
}

/** A pod never leaves Succeeded or Failed. */
function choosePhase(o: StatusInput, computed: string): string {
  if (isTerminalPhase(o.pod.status.phase)) return o.pod.status.phase;
  const runs = o.observed.containers.some((c) => c.state === 'running');
  if (o.failure !== undefined) return runs && !o.terminal ? (o.previous.phase ?? 'Running') : 'Failed';
  if (isTerminalPhase(o.previous.phase)) return o.previous.phase;
  // Whatever its containers were waiting for: a pod that was ended is over.
  if (o.terminal && !isTerminalPhase(computed) && !isStaticPod(o.pod)) return 'Failed';
  // While containers still run, a pod is not shown as over; the last status of its end says so.
  return isTerminalPhase(computed) && !o.terminal && runs ? 'Running' : computed;
}
