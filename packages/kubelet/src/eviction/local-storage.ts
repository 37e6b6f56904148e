import { canonicalQuantity, newQuantity } from '@skiff/apimachinery';
import { initContainersOf, isSidecar, type ContainerSpec, type PodSnapshot } from '../pod/pod-snapshot.ts';
import type { PodUsage } from '../stats/pod-usage.ts';
import { quantityOr0 } from './signals.ts';

const resource = 'ephemeral-storage';
const limitOf = (c: ContainerSpec): string | undefined => c.resources?.limits?.[resource];

/** The limit of all containers together, where some has one: their sum, or what one init container may take if that is more. */
function podLimit(pod: PodSnapshot): number | undefined {
  const own = pod.spec.resources?.limits?.[resource];
  if (own !== undefined) return quantityOr0(own);
  const init = initContainersOf(pod);
  const all = [...init, ...pod.spec.containers];
  if (!all.some((c) => limitOf(c) !== undefined)) return undefined;
  const sum = (list: readonly ContainerSpec[]): number => list.reduce((total, c) => total + quantityOr0(limitOf(c)), 0);
  let sidecars = 0;
  let peak = 0;
  for (const c of init) {
    if (isSidecar(c)) sidecars += quantityOr0(limitOf(c));
    else peak = Math.max(peak, sidecars + quantityOr0(limitOf(c)));
  }
  const overhead = quantityOr0(pod.spec.overhead?.[resource]);
  return Math.max(sum(pod.spec.containers) + sidecars, peak) + overhead;
}

const emptyDirLimits = (pod: PodSnapshot): readonly { name: string; limit: string }[] =>
  (pod.spec.volumes ?? []).flatMap((v) => {
    const limit = v.emptyDir?.sizeLimit;
    return limit === undefined || quantityOr0(limit) <= 0 ? [] : [{ name: v.name, limit }];
  });

/** Whether the pod's disk use has to be measured at all. */
export const hasStorageLimits = (pod: PodSnapshot): boolean => emptyDirLimits(pod).length > 0 || podLimit(pod) !== undefined;

/** Which limit of local storage a pod exceeds, in upstream's words. Pure. */
export function exceededStorageLimit(pod: PodSnapshot, usage: PodUsage, o: { dedicatedImageFs: boolean }): string | undefined {
  for (const { name, limit } of emptyDirLimits(pod)) {
    if ((usage.volumes.get(name) ?? 0) > quantityOr0(limit))
      return `Usage of EmptyDir volume ${JSON.stringify(name)} exceeds the limit ${JSON.stringify(canonicalQuantity(limit))}. `;
  }
  const limit = podLimit(pod);
  if (limit === undefined || usage.disk === undefined) return undefined;
  const total = usage.disk.writable + usage.disk.logs + usage.disk.volumes;
  if (total > limit) return `Pod ephemeral local storage usage exceeds the total limit of containers ${newQuantity(limit, 'BinarySI')}. `;
  for (const c of pod.spec.containers) {
    const own = limitOf(c);
    const u = usage.containers.get(c.name);
    if (own === undefined || quantityOr0(own) === 0 || u === undefined) continue;
    const used = o.dedicatedImageFs ? u.logBytes : u.diskBytes;
    if ((used ?? 0) > quantityOr0(own))
      return `Container ${c.name} exceeded its local ephemeral storage limit ${JSON.stringify(canonicalQuantity(own))}. `;
  }
  return undefined;
}
