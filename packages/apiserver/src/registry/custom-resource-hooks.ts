import type { CustomResourceDefinition } from '@skiff/api';
import { cleanupFinalizer } from '../custom-resources/cleanup-finalizer.ts';
import { metadataOf } from './object-metadata.ts';
import type { ResourceHooks } from './resource-hooks.ts';

/** A CustomResourceDefinition's deletion waits for that of its objects: the first request marks it, with a finalizer for them. */
export const customResourceHooks: ResourceHooks = {
  computeDeletion(draft, options, now) {
    const meta = metadataOf(draft);
    if (meta.deletionTimestamp) return undefined;
    meta.deletionTimestamp = now;
    meta.deletionGracePeriodSeconds = 0;
    const finalizers = new Set(meta.finalizers ?? []);
    finalizers.add(cleanupFinalizer);
    if (options.propagationPolicy === 'Foreground' || options.orphanDependents === false) finalizers.add('foregroundDeletion');
    if (options.propagationPolicy === 'Orphan' || options.orphanDependents === true) finalizers.add('orphan');
    meta.finalizers = [...finalizers];
    const { status } = draft as CustomResourceDefinition;
    const pending = {
      type: 'Terminating',
      status: 'True',
      reason: 'InstanceDeletionPending',
      message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
      lastTransitionTime: now,
    };
    const conditions = (status?.conditions ?? []).filter((c) => c.type !== 'Terminating');
    (draft as CustomResourceDefinition).status = { ...status, conditions: [...conditions, pending] };
    return 'mark';
  },
};
