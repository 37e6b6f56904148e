import type { DeepReadonly } from '@skiff/apimachinery';
import type { ContainerRestartRule } from '@skiff/api';
import { type ContainerSpec, initContainersOf, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { newestContainer, type ObservedPod } from './observed-pod.ts';

const matches = (rule: DeepReadonly<ContainerRestartRule>, exitCode: number): boolean => {
  const on = rule.exitCodes;
  if (on === undefined) return false;
  const listed = (on.values ?? []).includes(exitCode);
  return on.operator === 'In' ? listed : on.operator === 'NotIn' && !listed;
};

/** The first rule that speaks about the exit code. */
const ruleFor = (c: ContainerSpec, exitCode: number): DeepReadonly<ContainerRestartRule> | undefined =>
  (c.restartPolicyRules ?? []).find((r) => matches(r, exitCode));

/** Whether the pod has a rule by which all its containers start over (KEP-5532). */
export const mayRestartAll = (pod: PodSnapshot): boolean =>
  [...initContainersOf(pod), ...pod.spec.containers].some((c) =>
    (c.restartPolicyRules ?? []).some((r) => r.action === 'RestartAllContainers'),
  );
/** Whether an end with `exitCode` makes all containers of the pod start over. */
export const endsAll = (c: ContainerSpec, exitCode: number): boolean => ruleFor(c, exitCode)?.action === 'RestartAllContainers';
/** Whether a container has ended by which all of the pod start over. */
export const asksToRestartAll = (pod: PodSnapshot, observed: ObservedPod): boolean =>
  pod.metadata.deletionTimestamp === undefined &&
  [...initContainersOf(pod), ...pod.spec.containers].some((c) => {
    const newest = newestContainer(observed, c.name);
    return newest?.state === 'exited' && endsAll(c, newest.exitCode);
  });

/** Whether a container that ended with `exitCode` is started again: its rules, then its own policy, then the pod's (KEP-5307). */
export function shouldRestartAfter(c: ContainerSpec, pod: PodSnapshot, exitCode: number): boolean {
  if (c.restartPolicy !== undefined) {
    if (ruleFor(c, exitCode) !== undefined) return true;
    if (c.restartPolicy === 'Always') return true;
    return c.restartPolicy === 'OnFailure' && exitCode !== 0;
  }
  const policy = pod.spec.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** Whether a container that is not running should be, in a pod that is not being deleted. */
export function shouldBeStarted(c: ContainerSpec, pod: PodSnapshot, observed: ObservedPod): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  const newest = newestContainer(observed, c.name);
  if (newest === undefined) return true;
  if (newest.state === 'running') return false;
  if (newest.state === 'created' || newest.state === 'unknown') return true;
  return shouldRestartAfter(c, pod, newest.exitCode);
}

/** The policy for a container that is killed while it runs (failed probes): there is no exit code to look at. */
export const restartsAfterKill = (c: ContainerSpec, pod: PodSnapshot): boolean =>
  (c.restartPolicy ?? pod.spec.restartPolicy ?? 'Always') !== 'Never';
