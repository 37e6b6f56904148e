import type { Job } from '../../generated/types/batch-v1.ts';

const prefixed = { uid: 'batch.kubernetes.io/controller-uid', name: 'batch.kubernetes.io/job-name' };
/** Names of before 1.27, kept for selectors that people wrote. */
const legacy = { uid: 'controller-uid', name: 'job-name' };

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
  labels[legacy.name] ??= job.metadata?.name ?? '';
  labels[legacy.uid] ??= uid;
  labels[prefixed.name] ??= job.metadata?.name ?? '';
  labels[prefixed.uid] ??= uid;
  spec.selector ??= {};
  spec.selector.matchLabels ??= {};
  spec.selector.matchLabels[prefixed.uid] ??= uid;
}
