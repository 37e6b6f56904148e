import type { Job } from '../../generated/types/batch-v1.ts';
import { deepEqual } from '../../semantic-equality.ts';

export const prefixedLabels = { uid: 'batch.kubernetes.io/controller-uid', name: 'batch.kubernetes.io/job-name' };
/** Names of before 1.27, kept for selectors that people wrote. */
export const legacyLabels = { uid: 'controller-uid', name: 'job-name' };

/**
 * Unless the client selects by hand, a Job selects its Pods by its own UID, and the template gets the labels. The labels of a
 * template that already carries a UID are left alone: they come from a copied Job and validation tells.
 */
export function generateSelector(job: Job): void {
  const spec = job.spec;
  if (spec === undefined || spec.manualSelector) return;
  const uid = job.metadata?.uid ?? '';
  const meta = (spec.template.metadata ??= {});
  const labels = (meta.labels ??= {});
  const own = job.metadata?.labels ?? {};
  const areDefault = Object.keys(own).length === 0 || deepEqual(own, labels);
  labels[legacyLabels.name] ??= job.metadata?.name ?? '';
  labels[legacyLabels.uid] ??= uid;
  labels[prefixedLabels.name] ??= job.metadata?.name ?? '';
  labels[prefixedLabels.uid] ??= uid;
  // Labels that came from the template stay those of the template.
  if (areDefault) (job.metadata ??= {}).labels = { ...labels };
  spec.selector ??= {};
  spec.selector.matchLabels ??= {};
  spec.selector.matchLabels[prefixedLabels.uid] ??= uid;
}
