import { computePodQOSClass, type ResourceRequirements } from '@skiff/api';
import { type DeepReadonly, quantityMilliValue, quantityValue } from '@skiff/apimachinery';
import type { ContainerResources } from '@skiff/cri';
import { podRequest } from '../pod/resource-fit.ts';
import { type ContainerSpec, initContainersOf, isCriticalPod, isSidecar, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { pageSizeName } from './limits.ts';

/** Kernel minima and the period that quotas refer to (upstream's constants). */
const minShares = 2;
const maxShares = 262_144;
const periodMicros = 100_000;
const minQuotaMicros = 1000;

type Requirements = DeepReadonly<ResourceRequirements> | undefined;

export const milliCpuToShares = (milli: number): number => Math.min(maxShares, Math.max(minShares, Math.floor((milli * 1024) / 1000)));
export const milliCpuToQuota = (milli: number): number => Math.max(minQuotaMicros, Math.floor((milli * periodMicros) / 1000));

const cpu = (list: Readonly<Record<string, string>> | undefined): number | undefined =>
  list?.['cpu'] === undefined ? undefined : quantityMilliValue(list['cpu']);
const memory = (list: Readonly<Record<string, string>> | undefined): number | undefined =>
  list?.['memory'] === undefined ? undefined : quantityValue(list['memory']);

/** Facts of the node that containers' limits follow from. */
export interface LimitFacts {
  readonly memoryCapacityBytes: number;
  /** Absent: nothing but what every engine takes. */
  readonly cgroups?: {
    readonly version: 1 | 2;
    /** Sizes of huge pages, bytes. */
    readonly pageSizes: readonly number[];
    /** What containers may share by their requests (LimitedSwap); 0: nobody swaps. */
    readonly swapBytes: number;
    /** The kernel ends one process of a container that has no memory left, not all of them. */
    readonly singleProcessOomKill: boolean;
  };
}

const requestedMemory = (c: ContainerSpec): number => memory(c.resources?.requests) ?? 0;

/** What the pod asks for beyond its containers, for each of them (KEP-2837). */
function sharedMemoryRequest(pod: PodSnapshot): number {
  if (pod.spec.resources?.requests?.['memory'] === undefined) return 0;
  const { overhead: _own, resources: _podLevel, ...spec } = pod.spec;
  const containers = podRequest({ ...pod, spec }, 'memory') / 1000;
  const count = pod.spec.containers.length + initContainersOf(pod).length;
  return Math.trunc((quantityValue(pod.spec.resources.requests['memory']) - containers) / count);
}

/** How early the kernel kills a container when memory runs out, by QoS class. */
export function computeOomScoreAdj(pod: PodSnapshot, c: ContainerSpec, memoryCapacityBytes: number): number {
  if (isCriticalPod(pod) && pod.spec.priorityClassName === 'system-node-critical') return -997;
  const qos = pod.status.qosClass ?? computePodQOSClass(pod.spec);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const shared = sharedMemoryRequest(pod);
  const scoreOf = (bytes: number): number => 1000 - Math.floor((1000 * (bytes + shared)) / Math.max(1, memoryCapacityBytes));
  const sidecar = initContainersOf(pod).some((i) => i.name === c.name && isSidecar(i));
  // A sidecar is not to go before those that need it.
  const score = sidecar
    ? Math.min(scoreOf(requestedMemory(c)), scoreOf(Math.min(...pod.spec.containers.map(requestedMemory))))
    : scoreOf(requestedMemory(c));
  return Math.min(999, Math.max(3, score));
}

/** How much a container may swap with LimitedSwap (KEP-2400): its request's part of all, if it is burstable and may use more than that. */
export function computeSwapBytes(pod: PodSnapshot, c: ContainerSpec, node: { memoryCapacityBytes: number; swapBytes: number }): number {
  const request = requestedMemory(c);
  const qos = pod.status.qosClass ?? computePodQOSClass(pod.spec);
  if (isCriticalPod(pod) || qos !== 'Burstable' || request === 0 || request === (memory(c.resources?.limits) ?? 0)) return 0;
  return request > node.memoryCapacityBytes ? 0 : Math.floor((request / node.memoryCapacityBytes) * node.swapBytes);
}

const hugePagePrefix = 'hugepages-';
const hugePagesIn = (list: Readonly<Record<string, string>> | undefined): (readonly [number, number])[] =>
  Object.entries(list ?? {}).flatMap(([name, text]) =>
    name.startsWith(hugePagePrefix) ? [[quantityValue(name.slice(hugePagePrefix.length)), quantityValue(text)] as const] : [],
  );

/** What the engine's own settings don't cover: written into the container's cgroup. */
function computeUnified(pod: PodSnapshot, c: ContainerSpec, node: LimitFacts): Record<string, string> {
  if (node.cgroups?.version !== 2) return {};
  const { swapBytes, singleProcessOomKill } = node.cgroups;
  return {
    ...(singleProcessOomKill ? {} : { 'memory.oom.group': '1' }),
    'memory.swap.max': String(computeSwapBytes(pod, c, { memoryCapacityBytes: node.memoryCapacityBytes, swapBytes })),
  };
}

/** A container's limits as the runtime takes them. One without own limits has the pod's. */
export function computeContainerResources(pod: PodSnapshot, c: ContainerSpec, node: LimitFacts): ContainerResources {
  const own = c.resources?.limits;
  const request = cpu(c.resources?.requests);
  const limit = cpu(own) || cpu(pod.spec.resources?.limits);
  const memoryLimit = memory(own) || memory(pod.spec.resources?.limits);
  const unified = computeUnified(pod, c, node);
  const pages = new Map([...hugePagesIn(pod.spec.resources?.limits), ...hugePagesIn(own)]);
  const pageSizes = node.cgroups?.pageSizes ?? [];
  return {
    cpuShares: milliCpuToShares(request ?? limit ?? 0),
    ...(limit === undefined || limit === 0 ? {} : { cpuPeriodMicros: periodMicros, cpuQuotaMicros: milliCpuToQuota(limit) }),
    ...(memoryLimit === undefined || memoryLimit === 0 ? {} : { memoryLimitBytes: memoryLimit, memorySwapLimitBytes: memoryLimit }),
    oomScoreAdj: computeOomScoreAdj(pod, c, node.memoryCapacityBytes),
    ...(pageSizes.length === 0
      ? {}
      : { hugePageLimits: Object.fromEntries(pageSizes.map((size) => [pageSizeName(size), pages.get(size) ?? 0])) }),
    ...(Object.keys(unified).length === 0 ? {} : { unified }),
  };
}

export interface PodCgroupLimits {
  readonly cpuShares: number;
  readonly cpuQuotaMicros?: number;
  readonly memoryBytes?: number;
  /** Page size in bytes → bytes. */
  readonly hugePages: ReadonlyMap<number, number>;
}

interface Totals {
  cpuRequest: number;
  /** undefined: some container has no limit, so the pod has none. */
  cpuLimit: number | undefined;
  memoryLimit: number | undefined;
}

function sum(parts: readonly Requirements[]): Totals {
  const total: Totals = { cpuRequest: 0, cpuLimit: 0, memoryLimit: 0 };
  for (const r of parts) {
    const limit = cpu(r?.limits);
    const bytes = memory(r?.limits);
    total.cpuRequest += cpu(r?.requests) ?? limit ?? 0;
    total.cpuLimit = total.cpuLimit === undefined || limit === undefined || limit === 0 ? undefined : total.cpuLimit + limit;
    total.memoryLimit = total.memoryLimit === undefined || bytes === undefined || bytes === 0 ? undefined : total.memoryLimit + bytes;
  }
  return total;
}

/** Huge pages are asked for as they are limited. */
function hugePageLimitsOf(pod: PodSnapshot): ReadonlyMap<number, number> {
  const lists = [pod.spec.resources, ...pod.spec.containers.map((c) => c.resources), ...initContainersOf(pod).map((c) => c.resources)];
  const names = new Set(lists.flatMap((r) => Object.keys({ ...r?.requests, ...r?.limits })).filter((n) => n.startsWith(hugePagePrefix)));
  return new Map([...names].map((name) => [quantityValue(name.slice(hugePagePrefix.length)), podRequest(pod, name) / 1000]));
}

const larger = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : Math.max(a, b);

/** The pod's own limits: what it names (KEP-2837), else the sum of its containers, or the largest init container if that is more. */
export function computePodLimits(pod: PodSnapshot): PodCgroupLimits {
  const sidecars: Requirements[] = [];
  let peak: Totals | undefined;
  for (const c of initContainersOf(pod)) {
    if (isSidecar(c)) sidecars.push(c.resources);
    else {
      const here = sum([...sidecars, c.resources]);
      peak =
        peak === undefined
          ? here
          : {
              cpuRequest: Math.max(peak.cpuRequest, here.cpuRequest),
              cpuLimit: larger(peak.cpuLimit, here.cpuLimit),
              memoryLimit: larger(peak.memoryLimit, here.memoryLimit),
            };
    }
  }
  let total = sum([...sidecars, ...pod.spec.containers.map((c) => c.resources)]);
  if (peak !== undefined) {
    total = {
      cpuRequest: Math.max(total.cpuRequest, peak.cpuRequest),
      cpuLimit: larger(total.cpuLimit, peak.cpuLimit),
      memoryLimit: larger(total.memoryLimit, peak.memoryLimit),
    };
  }
  const own = pod.spec.resources;
  const cpuLimit = cpu(own?.limits) ?? total.cpuLimit;
  const memoryLimit = memory(own?.limits) ?? total.memoryLimit;
  const overheadCpu = cpu(pod.spec.overhead) ?? 0;
  const overheadMemory = memory(pod.spec.overhead) ?? 0;
  return {
    cpuShares: milliCpuToShares((cpu(own?.requests) ?? total.cpuRequest) + overheadCpu),
    ...(cpuLimit === undefined || cpuLimit === 0 ? {} : { cpuQuotaMicros: milliCpuToQuota(cpuLimit + overheadCpu) }),
    ...(memoryLimit === undefined || memoryLimit === 0 ? {} : { memoryBytes: memoryLimit + overheadMemory }),
    hugePages: hugePageLimitsOf(pod),
  };
}
