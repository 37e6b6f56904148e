import { initContainersOf, type PodSnapshot } from '../pod/pod-snapshot.ts';
import type { PodUsage } from '../stats/pod-usage.ts';
import { amountOf, formatAmount, quantityOr0, resourceOf, type StarvedResource, type Threshold } from './signals.ts';
import type { Observations } from './thresholds.ts';

export interface EvictionText {
  readonly message: string;
  /** Of the event; upstream's keys. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What the event and the status of an evicted pod say; upstream's texts, since tools parse them. */
export function describeEviction(
  pod: PodSnapshot,
  resource: StarvedResource,
  o: { readonly acting: readonly Threshold[]; readonly seen: Observations; readonly usage: PodUsage | undefined },
): EvictionText {
  let message = `The node was low on resource: ${resource}. `;
  const threshold = o.acting.find((t) => resourceOf(t.signal) === resource && o.seen.has(t.signal));
  const observed = threshold === undefined ? undefined : o.seen.get(threshold.signal);
  if (threshold !== undefined && observed !== undefined) {
    const [quantity, available] = [amountOf(threshold.value, observed.capacity), observed.available];
    message += `Threshold quantity: ${formatAmount(quantity, resource)}, available: ${formatAmount(available, resource)}. `;
  }
  const { usage } = o;
  if (usage === undefined) return { message, annotations: {} };
  const own = resource === 'memory' ? pod.spec.resources?.requests?.['memory'] : undefined;
  const used = formatAmount(usage.memoryBytes, 'memory');
  if (own !== undefined)
    message += `Pod ${pod.metadata.name} was using ${used}, request is ${own}, has larger consumption of ${resource}. `;
  const names: string[] = [];
  const figures: string[] = [];
  for (const c of [...pod.spec.containers, ...initContainersOf(pod)]) {
    const u = usage.containers.get(c.name);
    const bytes = resource === 'memory' ? u?.memoryBytes : resource === 'ephemeral-storage' ? u?.diskBytes : undefined;
    const request = c.resources?.requests?.[resource] ?? '0';
    if (bytes === undefined || bytes <= quantityOr0(request)) continue;
    const text = formatAmount(bytes, resource);
    message += `Container ${c.name} was using ${text}, request is ${request}, has larger consumption of ${resource}. `;
    names.push(c.name);
    figures.push(text);
  }
  return {
    message,
    annotations: {
      ...(own === undefined ? {} : { offending_pod: pod.metadata.name, offending_pod_usage: used }),
      offending_containers: names.join(','),
      offending_containers_usage: figures.join(','),
      starved_resource: resource,
    },
  };
}
