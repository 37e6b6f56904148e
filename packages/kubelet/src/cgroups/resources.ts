import { computePodQOSClass, type ResourceRequirements } from '@skiff/api';
import { type DeepReadonly, quantityMilliValue, quantityValue } from '@skiff/apimachinery';
import type { ContainerResources } from '@skiff/cri';
import { type ContainerSpec, initContainersOf, isSidecar, type PodSnapshot } from '../pod/pod-snapshot.ts';

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

/** How early the kernel kills a container when memory runs out, by QoS class. */
export function computeOomScoreAdj(pod: PodSnapshot, c: ContainerSpec, memoryCapacityBytes: number): number {
  const priority = pod.spec.priority ?? 0;
  if (priority >= 2_000_000_000) return -997;
  const qos = pod.status.qosClass ?? computePodQOSClass(pod.spec);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const request = memory(c.resources?.requests) ?? memory(c.resources?.limits) ?? 0;
  const score = 1000 - Math.floor((1000 * request) / Math.max(1, memoryCapacityBytes));
  return Math.min(999, Math.max(3, score));
}

/** A container's limits as the runtime takes them. */
export function computeContainerResources(pod: PodSnapshot, c: ContainerSpec, memoryCapacityBytes: number): ContainerResources {
  const request = cpu(c.resources?.requests);
  const limit = cpu(c.resources?.limits);
  const memoryLimit = memory(c.resources?.limits);
  return {
    cpuShares: milliCpuToShares(request ?? limit ?? 0),
    ...(limit === undefined || limit === 0 ? {} : { cpuPeriodMicros: periodMicros, cpuQuotaMicros: milliCpuToQuota(limit) }),
    ...(memoryLimit === undefined || memoryLimit === 0 ? {} : { memoryLimitBytes: memoryLimit, memorySwapLimitBytes: memoryLimit }),
    oomScoreAdj: computeOomScoreAdj(pod, c, memoryCapacityBytes),
  };
}

export interface PodCgroupLimits {
  readonly cpuShares: number;
  readonly cpuQuotaMicros?: number;
  readonly memoryBytes?: number;
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
  };
}
