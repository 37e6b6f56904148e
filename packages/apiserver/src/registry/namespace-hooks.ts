import type { DeepReadonly, KubeObject } from '@skiff/apimachinery';
import { metadataOf } from './object-metadata.ts';
import type { ResourceHooks } from './resource-hooks.ts';

interface NamespaceShape extends KubeObject {
  spec?: { finalizers?: string[] };
  status?: { phase?: string };
}

/**
 * A namespace's deletion: the first request marks it Terminating; it goes when its content is gone and the controller has emptied
 * `spec.finalizers` (through /finalize), and metadata has none left either.
 */
export const namespaceHooks: ResourceHooks = {
  mayFinalize: (draft: DeepReadonly<NamespaceShape>) => (draft.spec?.finalizers ?? []).length === 0,
  computeDeletion(draft: NamespaceShape, options, now) {
    const meta = metadataOf(draft);
    if (meta.deletionTimestamp) return (draft.spec?.finalizers ?? []).length > 0 ? 'keep' : undefined;
    meta.deletionTimestamp = now;
    draft.status = { ...draft.status, phase: 'Terminating' };
    const { orphanDependents, propagationPolicy } = options;
    const current = meta.finalizers ?? [];
    const asked = orphanDependents !== undefined || propagationPolicy !== undefined;
    const orphan = asked ? (orphanDependents ?? propagationPolicy === 'Orphan') : current.includes('orphan');
    const foreground = asked
      ? orphanDependents === undefined
        ? propagationPolicy === 'Foreground'
        : !orphanDependents
      : current.includes('foregroundDeletion');
    const finalizers = current.filter((f) => f !== 'orphan' && f !== 'foregroundDeletion');
    if (orphan) finalizers.push('orphan');
    if (foreground) finalizers.push('foregroundDeletion');
    if (finalizers.length > 0) meta.finalizers = finalizers;
    else delete meta.finalizers;
    return 'mark';
  },
};
