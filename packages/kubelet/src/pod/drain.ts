import type { Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { DrainRequest, DrainResponse } from '@skiff/tunnel';
import type { PodContext } from './pod-context.ts';
import { isHostNetwork, isStaticPod, type PodSnapshot } from './pod-snapshot.ts';

/** Without a control plane: what it takes proxies to choose others. */
const blindWaitMs = 300;
/** How long proxies may take to choose others; never more than a quarter of the grace. */
const longestChooseMs = 2_000;
/** How much longer while connections are open, if the grace is long enough to spare it. */
const longestLingerMs = 5_000;
const lingerFromGraceSeconds = 10;
/** For the way to the server and back. */
const answerMs = 500;

export const drainTimes = (graceSeconds: number): { readonly chooseMs: number; readonly lingerMs: number } => ({
  chooseMs: Math.min(longestChooseMs, Math.floor((graceSeconds * 1000) / 4)),
  lingerMs: graceSeconds >= lingerFromGraceSeconds ? longestLingerMs : 0,
});

const selects = (service: DeepReadonly<Service>, pod: PodSnapshot): boolean => {
  const selector = Object.entries(service.spec?.selector ?? {});
  return (
    service.metadata?.namespace === pod.metadata.namespace &&
    selector.length > 0 &&
    selector.every(([k, v]) => pod.metadata.labels?.[k] === v)
  );
};

/**
 * Before a pod is told to stop, the proxies of the cluster are made to choose others, and open connections get a moment to end
 * (docs/decisions/tunnel.md). When no server can be asked, a pod that a Service selects waits for a fixed short time. Pods that
 * were not ready, static ones and those without a grace period don't wait.
 */
export const createDrain =
  (o: {
    ask: (request: DrainRequest, timeoutMs: number) => Promise<DrainResponse | undefined>;
    services: () => readonly DeepReadonly<Service>[];
    clock: Clock;
  }): PodContext['drain'] =>
  async (pod, { graceSeconds, ready, signal }) => {
    if (!ready || graceSeconds <= 0 || isStaticPod(pod)) return;
    if (!isHostNetwork(pod) && pod.status.podIP === undefined) return;
    const { chooseMs, lingerMs } = drainTimes(graceSeconds);
    const startedMs = o.clock.monotonicMs();
    const { uid, name, namespace } = pod.metadata;
    const asked = o.ask(
      { podNamespace: namespace, podName: name, podUid: uid, chooseTimeoutMs: chooseMs, lingerMs },
      chooseMs + lingerMs + answerMs,
    );
    const gone = new Promise<'gone'>((resolve) => {
      if (signal.aborted) resolve('gone');
      signal.addEventListener('abort', () => resolve('gone'), { once: true });
    });
    if ((await Promise.race([asked, gone])) !== undefined) return;
    if (!o.services().some((s) => selects(s, pod))) return;
    const restMs = Math.min(blindWaitMs, chooseMs) - (o.clock.monotonicMs() - startedMs);
    if (restMs > 0) await o.clock.sleep(restMs, signal).catch(() => undefined);
  };
