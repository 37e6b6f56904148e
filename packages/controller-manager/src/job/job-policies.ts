import type { ContainerStatus, Job, Pod } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { parseIndexes } from './completion-indexes.ts';

export type JobView = DeepReadonly<Job>;
export type PodView = DeepReadonly<Pod>;

/** What the pod failure policy says of a failed pod. */
export interface FailureVerdict {
  readonly counts: boolean;
  readonly action?: string;
  /** Why the whole job fails. */
  readonly message?: string;
}

type Rule = NonNullable<NonNullable<JobView['spec']>['podFailurePolicy']>['rules'][number];

function failedContainer(pod: PodView, rule: NonNullable<Rule['onExitCodes']>): { name: string; exitCode: number } | undefined {
  const matches = (s: DeepReadonly<ContainerStatus>): boolean => {
    const exitCode = s.state?.terminated?.exitCode;
    if (exitCode === undefined || exitCode === 0 || (rule.containerName !== undefined && rule.containerName !== s.name)) return false;
    return rule.operator === 'In' ? rule.values.includes(exitCode) : rule.operator === 'NotIn' && !rule.values.includes(exitCode);
  };
  const found = (pod.status?.containerStatuses ?? []).find(matches) ?? (pod.status?.initContainerStatuses ?? []).find(matches);
  return found === undefined ? undefined : { name: found.name, exitCode: found.state?.terminated?.exitCode ?? 0 };
}

/** The first rule that matches decides; without one a failure counts. */
export function matchFailurePolicy(job: JobView, pod: PodView): FailureVerdict {
  for (const [index, rule] of (job.spec?.podFailurePolicy?.rules ?? []).entries()) {
    const who = `${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''}`;
    let message: string | undefined;
    if (rule.onExitCodes !== undefined) {
      const container = failedContainer(pod, rule.onExitCodes);
      if (container !== undefined)
        message = `Container ${container.name} for pod ${who} failed with exit code ${container.exitCode} matching ${rule.action} rule at index ${index}`;
    } else {
      const condition = (pod.status?.conditions ?? []).find((c) =>
        (rule.onPodConditions ?? []).some((p) => p.type === c.type && (p.status ?? 'True') === c.status),
      );
      if (condition !== undefined) message = `Pod ${who} has condition ${condition.type} matching ${rule.action} rule at index ${index}`;
    }
    if (message === undefined) continue;
    if (rule.action === 'Ignore') return { counts: false, action: 'Ignore' };
    return { counts: true, action: rule.action, ...(rule.action === 'FailJob' ? { message } : {}) };
  }
  return { counts: true };
}

/** Whether the success policy is met; the text goes into the condition. */
export function matchSuccessPolicy(job: JobView, succeeded: ReadonlySet<number>): string | undefined {
  if (succeeded.size === 0) return undefined;
  const rules = job.spec?.successPolicy?.rules ?? [];
  const index = rules.findIndex((rule) => {
    if (rule.succeededIndexes === undefined) return rule.succeededCount !== undefined && succeeded.size >= rule.succeededCount;
    const required = parseIndexes(rule.succeededIndexes, job.spec?.completions ?? 0);
    if (required.size === 0) return false;
    const met = [...required].filter((i) => succeeded.has(i)).length;
    return met === required.size || (rule.succeededCount !== undefined && met >= rule.succeededCount);
  });
  return index < 0 ? undefined : `Matched rules at index ${index}`;
}
