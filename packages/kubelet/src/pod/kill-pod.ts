import type { ContainerStatus } from '@skiff/cri';
import { type ObservedPod, runningContainers } from '../actions/observed-pod.ts';
import type { Deadline } from '../container/deadline.ts';
import { killContainer, planTurns } from '../container/kill-container.ts';
import type { PodContext } from './pod-context.ts';
import { findContainer, isHostNetwork, type PodSnapshot } from './pod-snapshot.ts';

/** A running container whose spec is gone from the pod (it can't be, but an engine may hold surprises) is killed by its name alone. */
const specOf = (pod: PodSnapshot, c: ContainerStatus) => findContainer(pod, c.metadata.name)?.spec ?? { name: c.metadata.name };

const podIPOf = (observed: ObservedPod, pod: PodSnapshot, context: PodContext): string =>
  (isHostNetwork(pod) ? context.node.addresses[0] : observed.ips[0]) ?? '127.0.0.1';

export interface KillPodRequest {
  readonly observed: ObservedPod;
  readonly deadline: Deadline;
  /** What the Killing events say; '' is upstream's own text. */
  readonly message?: string;
  /** Containers get their stop signals after it. */
  readonly drained?: Promise<void>;
  /** Aborts when the kubelet ends: what still runs is left to the next one. */
  readonly signal?: AbortSignal;
}

/** Ends all running containers within the deadline, sidecars last. */
export async function killContainers(pod: PodSnapshot, r: KillPodRequest, context: PodContext): Promise<void> {
  const running = runningContainers(r.observed);
  const turns = planTurns(
    pod,
    running.map((c) => c.metadata.name),
  );
  const podIP = podIPOf(r.observed, pod, context);
  const deps = { runtime: context.runtime, clock: context.clock, log: context.log, event: eventOf(context) };
  const drained = r.drained ?? Promise.resolve();
  await Promise.all(
    running.map(async (status) => {
      const name = status.metadata.name;
      const turn = Promise.all([drained, turns.turn(name)]).then(() => undefined);
      const stopping = r.signal === undefined ? {} : { signal: r.signal };
      const message = r.message ?? '';
      await killContainer({ pod, spec: specOf(pod, status), status, podIP, message, deadline: r.deadline, turn, ...stopping }, deps);
      turns.ended(name);
    }),
  );
}

/** Ends one container of a pod that goes on. */
export async function killOne(
  pod: PodSnapshot,
  o: { status: ContainerStatus; observed: ObservedPod; message: string; deadline: Deadline },
  context: PodContext,
): Promise<void> {
  const deps = { runtime: context.runtime, clock: context.clock, log: context.log, event: eventOf(context) };
  await killContainer(
    {
      pod,
      spec: specOf(pod, o.status),
      status: o.status,
      podIP: podIPOf(o.observed, pod, context),
      message: o.message,
      deadline: o.deadline,
    },
    deps,
  );
}

/** Ends the sandboxes at once and cuts their wires. */
export async function stopSandboxes(pod: PodSnapshot, observed: ObservedPod, context: PodContext): Promise<void> {
  await Promise.all(
    observed.sandboxes.map(async (s) => {
      const cut = isHostNetwork(pod) ? Promise.resolve() : context.network.detach({ uid: s.metadata.uid, attempt: s.metadata.attempt });
      await Promise.all([cut, s.state === 'ready' ? context.runtime.stopPodSandbox(s.id) : Promise.resolve()]);
    }),
  );
}

/** Removes sandboxes, containers, cgroups and links of a pod that is over, those too that were made while it was already ending. */
export async function removePod(pod: PodSnapshot, observed: ObservedPod, context: PodContext): Promise<void> {
  const { runtime } = context;
  await Promise.all(observed.sandboxes.map((s) => runtime.removePodSandbox(s.id)));
  const orphaned = observed.containers.filter((c) => !observed.sandboxes.some((s) => s.id === c.podSandboxId));
  await Promise.all(orphaned.map((c) => runtime.removeContainer(c.id)));
  const left = await runtime.listContainers({ podUid: pod.metadata.uid });
  await Promise.all(left.map((c) => runtime.removeContainer(c.id)));
  await context.cgroups.remove(pod.metadata.uid);
  await context.logLinks.unlink(pod);
}

const eventOf =
  (context: PodContext) =>
  (pod: PodSnapshot, container: string, type: 'Normal' | 'Warning', reason: string, message: string): void =>
    context.event(pod, type, reason, message, container);
