import type { ContainerState, ContainerStatus as ApiContainerStatus, VolumeMountStatus } from '@skiff/api';
import { type DeepReadonly, newMilliQuantity, newQuantity, quantityMilliValue, quantityValue } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import type { ContainerResources, ContainerStatus } from '@skiff/cri';
import { leastMemoryBytes } from '../actions/compute-resize.ts';
import { newestContainer, type ObservedPod } from '../actions/observed-pod.ts';
import { shouldBeStarted } from '../actions/restart-policy.ts';
import { milliCpuToQuota, milliCpuToShares } from '../cgroups/resources.ts';
import type { NodeFacts } from '../pod/pod-context.ts';
import { type ContainerSpec, type ContainerType, isSidecar, type PodSnapshot } from '../pod/pod-snapshot.ts';

export interface WaitingReason {
  readonly reason: string;
  readonly message: string;
}

export interface ContainerStatusInput {
  readonly pod: PodSnapshot;
  readonly observed: ObservedPod;
  readonly type: ContainerType;
  readonly containers: readonly ContainerSpec[];
  readonly previous: readonly DeepReadonly<ApiContainerStatus>[];
  readonly node: Pick<NodeFacts, 'runtimeName' | 'recursiveReadOnlyMounts'>;
  /** All containers were removed to start over. */
  readonly restarting: boolean;
  /** Why the last attempt to start a container failed. */
  readonly waiting: (name: string) => WaitingReason | undefined;
}

/** What a container waits for that nothing is wrong with. */
const waitingReason = (pod: PodSnapshot): string => ((pod.spec.initContainers ?? []).length > 0 ? 'PodInitializing' : 'ContainerCreating');
const timeOrNull = (ms: number): string | null => (ms === 0 ? null : formatTime(ms));
const clone = (s: DeepReadonly<ApiContainerStatus>): ApiContainerStatus => structuredClone(s) as ApiContainerStatus;

function renderState(c: ContainerStatus, containerId: string, pod: PodSnapshot): ContainerState {
  switch (c.state) {
    case 'running':
      return { running: { startedAt: timeOrNull(c.startedAtMs) } };
    case 'exited':
      return {
        terminated: {
          exitCode: c.exitCode,
          ...(c.reason === '' ? {} : { reason: c.reason }),
          ...(c.message === '' ? {} : { message: c.message }),
          startedAt: timeOrNull(c.startedAtMs),
          finishedAt: timeOrNull(c.finishedAtMs),
          containerID: containerId,
        },
      };
    case 'created':
    case 'unknown':
      // Made, but not yet started: for its readers the same as being made.
      return { waiting: { reason: waitingReason(pod) } };
  }
}

const isRecursive = (asked: string | undefined, able: boolean): boolean => asked === 'Enabled' || (asked === 'IfPossible' && able);
const renderVolumeMounts = (c: ContainerSpec, node: ContainerStatusInput['node']): VolumeMountStatus[] =>
  (c.volumeMounts ?? []).map((m) => ({
    name: m.name,
    mountPath: m.mountPath,
    ...(m.readOnly === true
      ? { readOnly: true, recursiveReadOnly: isRecursive(m.recursiveReadOnly, node.recursiveReadOnlyMounts) ? 'Enabled' : 'Disabled' }
      : {}),
  }));

/** What a running container has of what it was granted: the runtime's word counts for what it knows, where it differs. */
function inForce(granted: NonNullable<ApiContainerStatus['resources']>, actual: ContainerResources): void {
  const { requests, limits } = granted;
  const request = requests?.['cpu'] ?? limits?.['cpu'];
  if (requests?.['cpu'] !== undefined && actual.cpuShares !== undefined) {
    const shares = milliCpuToShares(quantityMilliValue(request ?? '0'));
    if (shares !== actual.cpuShares) requests['cpu'] = newMilliQuantity(Math.ceil((actual.cpuShares * 1000) / 1024), 'DecimalSI');
  }
  if (limits?.['cpu'] !== undefined && actual.cpuQuotaMicros !== undefined) {
    const quota = milliCpuToQuota(quantityMilliValue(limits['cpu']));
    const period = actual.cpuPeriodMicros ?? 100_000;
    if (quota !== actual.cpuQuotaMicros) limits['cpu'] = newMilliQuantity(Math.ceil((actual.cpuQuotaMicros * 1000) / period), 'DecimalSI');
  }
  if (limits?.['memory'] !== undefined && actual.memoryLimitBytes !== undefined) {
    if (Math.max(quantityValue(limits['memory']), leastMemoryBytes) !== actual.memoryLimitBytes)
      limits['memory'] = newQuantity(actual.memoryLimitBytes, 'BinarySI');
  }
}

/** Limits and requests as they are in force, and what was granted. */
function renderResources(c: ContainerSpec, status: ContainerStatus): Pick<ApiContainerStatus, 'resources' | 'allocatedResources'> {
  const requests = c.resources?.requests;
  const resources = (c.resources === undefined ? {} : structuredClone(c.resources)) as NonNullable<ApiContainerStatus['resources']>;
  if (status.state === 'running') inForce(resources, status.resources);
  return { resources, ...(requests === undefined ? {} : { allocatedResources: { ...requests } }) };
}

function fromRuntime(
  c: ContainerStatus,
  spec: ContainerSpec,
  o: ContainerStatusInput,
  old: DeepReadonly<ApiContainerStatus> | undefined,
): ApiContainerStatus {
  const containerID = `${o.node.runtimeName}://${c.id}`;
  const volumeMounts = (old?.volumeMounts as VolumeMountStatus[] | undefined) ?? renderVolumeMounts(spec, o.node);
  return {
    name: c.metadata.name,
    state: renderState(c, containerID, o.pod),
    lastState: {},
    ready: false,
    // Counts never go back, whatever was pruned from the engine.
    restartCount: Math.max(c.metadata.attempt, old?.restartCount ?? 0),
    image: c.image,
    imageID: c.imageId,
    containerID,
    ...renderResources(spec, c),
    ...(volumeMounts.length === 0 ? {} : { volumeMounts }),
    ...(c.user === undefined ? {} : { user: { linux: { ...c.user, supplementalGroups: [...c.user.supplementalGroups] } } }),
  };
}

/** Reason of what all containers of a pod go through when one of them asks for it (KEP-5532). */
export const startingOverReason = 'RestartingAllContainers';

function startingOver(old: DeepReadonly<ApiContainerStatus>): ApiContainerStatus {
  const why = { reason: startingOverReason, message: 'The container was removed because all containers of the pod start over' };
  const terminated = { exitCode: 137, ...why, startedAt: null, finishedAt: null };
  return { ...clone(old), ready: false, started: false, state: { waiting: why }, lastState: { terminated } };
}

/** What is told of a container that the runtime knows nothing of. */
function withoutRuntime(
  spec: ContainerSpec,
  o: ContainerStatusInput,
  old: DeepReadonly<ApiContainerStatus> | undefined,
): ApiContainerStatus {
  const reason = waitingReason(o.pod);
  if (o.restarting && old !== undefined && old.state?.waiting === undefined) return startingOver(old);
  if (old?.state?.terminated !== undefined) return clone(old);
  const volumeMounts = renderVolumeMounts(spec, o.node);
  const status: ApiContainerStatus = {
    name: spec.name,
    state: { waiting: { reason } },
    lastState: old?.lastState === undefined ? {} : (structuredClone(old.lastState) as ContainerState),
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: spec.image ?? '',
    imageID: '',
    ...(volumeMounts.length === 0 ? {} : { volumeMounts }),
  };
  if (old?.state?.running !== undefined && status.lastState?.terminated === undefined) {
    // It ran when last seen; without this mark the pod would fall back to Pending.
    status.lastState = {
      terminated: {
        exitCode: 137,
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located when the pod was deleted.  The container used to be Running',
        startedAt: null,
        finishedAt: null,
      },
    };
    if (o.pod.metadata.deletionTimestamp === undefined) status.restartCount += 1;
  }
  return status;
}

const anyAppContainer = (pod: PodSnapshot, observed: ObservedPod): boolean =>
  pod.spec.containers.some((c) => newestContainer(observed, c.name) !== undefined);

function generateOne(spec: ContainerSpec, o: ContainerStatusInput): ApiContainerStatus {
  const old = o.previous.find((s) => s.name === spec.name);
  const [newest, before] = o.observed.containers.filter((c) => c.metadata.name === spec.name);
  let status: ApiContainerStatus;
  if (newest === undefined) status = withoutRuntime(spec, o, old);
  else {
    status = fromRuntime(newest, spec, o, old);
    if (before !== undefined) status.lastState = fromRuntime(before, spec, o, old).state ?? {};
    else if (old?.containerID !== undefined && old.containerID !== status.containerID && old.state?.terminated !== undefined) {
      status.lastState = { terminated: structuredClone(old.state.terminated) as NonNullable<ContainerState['terminated']> };
    } else if (old?.lastState?.terminated !== undefined) status.lastState = structuredClone(old.lastState) as ContainerState;
  }
  if (o.type === 'init') {
    if (newest?.state === 'exited' && newest.exitCode === 0) return status;
    if (newest === undefined && !isSidecar(spec) && status.state?.waiting !== undefined && anyAppContainer(o.pod, o.observed)) {
      status.state = {
        terminated: {
          exitCode: 0,
          reason: 'Completed',
          message: 'Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally',
          startedAt: null,
          finishedAt: null,
        },
      };
      return status;
    }
  }
  const waiting = o.waiting(spec.name);
  if (waiting !== undefined && shouldBeStarted(spec, o.pod, o.observed)) {
    if (status.state?.terminated !== undefined) status.lastState = status.state;
    status.state = { waiting: { reason: waiting.reason, ...(waiting.message === '' ? {} : { message: waiting.message }) } };
  }
  return status;
}

/** One status a container of one list: in the spec's order for init containers, by name for the others, as upstream lists them. */
export function generateContainerStatuses(o: ContainerStatusInput): ApiContainerStatus[] {
  const all = o.containers.map((c) => generateOne(c, o));
  return o.type === 'init' ? all : all.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
