import type { DeepReadonly } from '@skiff/apimachinery';
import { templateWarnings } from '../../core/v1/pod-template-validation.ts';
import type { JobSpec } from '../../generated/types/batch-v1.ts';

const manyCompletions = 100_000;
const highParallelism = 10_000;

export function jobSpecWarnings(spec: DeepReadonly<JobSpec> | undefined, path: string): string[] {
  const huge = spec?.completionMode === 'Indexed' && (spec.completions ?? 0) > manyCompletions && (spec.parallelism ?? 0) > highParallelism;
  const untracked =
    'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail';
  return [...(huge ? [`${path}: ${untracked}`] : []), ...templateWarnings(spec?.template, `${path}.template.`)];
}
