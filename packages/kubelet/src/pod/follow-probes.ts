import { newestContainer, type ObservedPod, runningContainers } from '../actions/observed-pod.ts';
import type { ProbeType } from '../probe/probe-state.ts';
import type { ProbeReadings } from '../status/generate-status.ts';
import type { PodContext } from './pod-context.ts';
import { findContainer, isHostNetwork, type PodSnapshot } from './pod-snapshot.ts';

/** Probes what runs and nothing else. `made`: containers that this kubelet made, of which the API's status is no older knowledge. */
export function followProbes(
  pod: PodSnapshot,
  o: { readonly observed: ObservedPod; readonly made: ReadonlySet<string> },
  context: Pick<PodContext, 'probes' | 'node'>,
): void {
  const { probes, node } = context;
  const running = runningContainers(o.observed);
  probes.keepOnly(pod.metadata.uid, new Set(running.map((c) => c.id)));
  const podIP = (isHostNetwork(pod) ? node.addresses[0] : o.observed.ips[0]) ?? '127.0.0.1';
  for (const c of running) {
    const found = findContainer(pod, c.metadata.name);
    if (found === undefined || found.type === 'ephemeral' || newestContainer(o.observed, c.metadata.name)?.id !== c.id) continue;
    const told = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].find((s) =>
      s.containerID?.endsWith(c.id),
    );
    probes.start({
      pod,
      container: found.spec,
      containerId: c.id,
      startedAtMs: c.startedAtMs,
      podIP,
      ...(told === undefined || o.made.has(c.id) ? {} : { known: { ready: told.ready, started: told.started ?? false } }),
    });
  }
}

/** What the probes say, as statuses want it. */
export function readingsOf(probes: PodContext['probes']): ProbeReadings {
  const succeeded = (id: string, type: ProbeType): boolean | undefined => {
    const reading = probes.reading(id, type);
    return reading === undefined ? undefined : reading === 'success';
  };
  return { started: (id) => succeeded(id, 'startup'), ready: (id) => succeeded(id, 'readiness') };
}
