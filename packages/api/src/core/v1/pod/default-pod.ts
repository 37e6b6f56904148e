import type { Container, Pod } from '../../../generated/types/core-v1.ts';
import { defaultPodSpec } from './default-pod-spec.ts';

/** What only a Pod gets, not a template: requests from limits, host ports under host networking, service links. */
export function defaultPod(pod: Pod): void {
  const spec = pod.spec;
  if (spec === undefined) return;
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  for (const container of containers) defaultRequests(container);
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork) {
    for (const port of containers.flatMap((c) => c.ports ?? [])) if (port.containerPort) port.hostPort ||= port.containerPort;
  }
  defaultPodSpec(spec);
}

function defaultRequests(container: Container): void {
  const limits = container.resources?.limits;
  if (container.resources === undefined || limits === undefined) return;
  container.resources.requests = { ...limits, ...container.resources.requests };
}
