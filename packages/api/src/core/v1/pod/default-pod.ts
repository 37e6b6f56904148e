import type { Container, Pod } from '../../../generated/types/core-v1.ts';
import { defaultPodSpec } from './default-pod-spec.ts';
import { defaultPodLevelResources } from './pod-level-resources.ts';

/** What only a Pod gets, not a template: requests from limits, host ports under host networking, service links. */
export function defaultPod(pod: Pod): void {
  const spec = pod.spec;
  if (spec === undefined) return;
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  for (const container of containers) defaultRequests(container);
  defaultPodLevelResources(spec);
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork) {
    for (const port of containers.flatMap((c) => c.ports ?? [])) if (port.containerPort) port.hostPort ||= port.containerPort;
  }
  defaultPodSpec(spec);
  // A pod that is to end before it is asked to gets the least that there is; templates keep what they say.
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) spec.terminationGracePeriodSeconds = 1;
  syncPodIPs(pod);
}

/** `podIP` is the first of `podIPs`; a client that knows only the old field sets both. */
function syncPodIPs(pod: Pod): void {
  const status = pod.status;
  const first = status?.podIPs?.[0]?.ip;
  if (status === undefined) return;
  if (status.podIP && status.podIP !== first) status.podIPs = [{ ip: status.podIP }];
  else if (first) status.podIP = first;
}

function defaultRequests(container: Container): void {
  const limits = container.resources?.limits;
  if (container.resources === undefined || limits === undefined) return;
  container.resources.requests = { ...limits, ...container.resources.requests };
}
