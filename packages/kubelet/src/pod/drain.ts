import type { Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { PodContext } from './pod-context.ts';
import { isHostNetwork, isStaticPod, type PodSnapshot } from './pod-snapshot.ts';

/** What it takes the news to reach the proxies, generously; never more than a quarter of the grace. */
const waitMs = 500;

const selects = (service: DeepReadonly<Service>, pod: PodSnapshot): boolean => {
  const selector = Object.entries(service.spec?.selector ?? {});
  return (
    service.metadata?.namespace === pod.metadata.namespace &&
    selector.length > 0 &&
    selector.every(([k, v]) => pod.metadata.labels?.[k] === v)
  );
};

/**
 * Before a pod of a Service is told to stop, proxies need a moment to choose others: a fixed wait, which needs no control plane.
 * Pods that no Service selects, that were not ready or have no address of their own to drain don't wait.
 */
export const createFixedDrain =
  (o: { services: () => readonly DeepReadonly<Service>[]; clock: Clock }): PodContext['drain'] =>
  async (pod, { graceSeconds, ready, signal }) => {
    if (!ready || graceSeconds <= 0 || isStaticPod(pod)) return;
    if (!isHostNetwork(pod) && pod.status.podIP === undefined) return;
    if (!o.services().some((s) => selects(s, pod))) return;
    await o.clock.sleep(Math.min(waitMs, (graceSeconds * 1000) / 4), signal).catch(() => undefined);
  };
