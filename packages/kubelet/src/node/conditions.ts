import type { NodeCondition } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { PressureCondition } from '../eviction/signals.ts';

export interface NodeHealth {
  /** As the eviction manager sees them. */
  readonly pressures: ReadonlySet<PressureCondition>;
  readonly runtime: { readonly ready: boolean; readonly message: string };
  readonly network: { readonly ready: boolean; readonly message: string };
  /** The ways to other nodes' pods. */
  readonly routes: { readonly ready: boolean; readonly message: string };
  /** Containers outlive a restart of the runtime's daemon. */
  readonly liveRestore: boolean;
  readonly shuttingDown: boolean;
  /** How long ago the runtime's containers were last looked at as a whole. */
  readonly relistAgeMs: number;
}

/** Upstream's: after so long a runtime that answers some questions counts as stuck all the same. */
const relistThresholdMs = 180_000;

type Verdict = Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>;

function pressure(type: string, o: { bad: boolean; good: readonly [string, string]; evil: readonly [string, string] }): Verdict {
  const [reason, message] = o.bad ? o.evil : o.good;
  return { type, status: o.bad ? 'True' : 'False', reason, message };
}

export function computeNodeConditions({
  pressures,
  runtime,
  network,
  routes,
  liveRestore,
  shuttingDown,
  relistAgeMs,
}: NodeHealth): readonly Verdict[] {
  const troubles: string[] = [];
  if (!runtime.ready) troubles.push(`container runtime is down: ${runtime.message}`);
  if (relistAgeMs > relistThresholdMs)
    troubles.push(`PLEG is not healthy: pleg was last seen active ${Math.floor(relistAgeMs / 1000)}s ago; threshold is 3m0s`);
  if (shuttingDown) troubles.push('node is shutting down');
  if (!network.ready)
    troubles.push(`container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${network.message}`);
  return [
    pressure('MemoryPressure', {
      bad: pressures.has('MemoryPressure'),
      good: ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
      evil: ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
    }),
    pressure('DiskPressure', {
      bad: pressures.has('DiskPressure'),
      good: ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
      evil: ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
    }),
    pressure('PIDPressure', {
      bad: pressures.has('PIDPressure'),
      good: ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
      evil: ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
    }),
    // Upstream's names, by which its tools and the taint of such nodes go.
    pressure('NetworkUnavailable', {
      bad: network.ready && !routes.ready,
      good: ['RouteCreated', "the routes to other nodes' pods exist"],
      evil: ['NoRouteCreated', `the routes to other nodes' pods are incomplete: ${routes.message}`],
    }),
    ...(liveRestore
      ? []
      : [
          {
            type: 'ContainersEndWithRuntime',
            status: 'True',
            reason: 'LiveRestoreDisabled',
            message: 'a restart of Docker Engine ends all containers; set live-restore in its daemon.json',
          },
        ]),
    troubles.length === 0
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: `[${troubles.join(', ')}]` },
  ];
}

/** Conditions with their times: a transition's is kept while the status stays. */
export const stampNodeConditions = (
  verdicts: readonly Verdict[],
  previous: readonly DeepReadonly<NodeCondition>[],
  now: string,
): NodeCondition[] =>
  verdicts.map((v) => {
    const old = previous.find((c) => c.type === v.type);
    return {
      ...v,
      lastHeartbeatTime: now,
      lastTransitionTime: old?.status === v.status && old.lastTransitionTime ? old.lastTransitionTime : now,
    };
  });
