import { type DeepReadonly, type FieldErrors, nameIsDNSLabel, type ResourceStrategy } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { Namespace } from '../../generated/types/core-v1.ts';
import { keepField, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';
import { qualifiedName } from '../../validation.ts';

const nameLabel = 'kubernetes.io/metadata.name';
const kubernetesFinalizer = 'kubernetes';

const namespaceStrategy: ResourceStrategy<Namespace> = {
  validateName: nameIsDNSLabel,
  prepareForCreate(draft) {
    draft.status = { phase: 'Active' };
    const spec = (draft.spec ??= {});
    const finalizers = spec.finalizers ?? [];
    if (!finalizers.includes(kubernetesFinalizer)) spec.finalizers = [...finalizers, kubernetesFinalizer];
  },
  prepareForUpdate(draft, old) {
    keepField((draft.spec ??= {}), old.spec ?? {}, 'finalizers');
    keepField(draft, old, 'status');
  },
  validate: (namespace, errors) => validateFinalizers(namespace, errors),
  validateUpdate: (namespace, _old, errors) => validateFinalizers(namespace, errors),
  canonicalize: labelWithName,
};

const standardFinalizers: readonly string[] = [kubernetesFinalizer, 'orphan', 'foregroundDeletion'];

/** `indexed`: whether the path tells which one. */
function validateFinalizers(namespace: DeepReadonly<Namespace>, errors: FieldErrors, indexed = false): void {
  for (const [i, finalizer] of (namespace.spec?.finalizers ?? []).entries()) {
    const path = indexed ? `spec.finalizers[${i}]` : 'spec.finalizers';
    qualifiedName(errors, path, finalizer);
    if (finalizer.includes('/') || standardFinalizers.includes(finalizer)) continue;
    errors.invalid(path, finalizer, 'name is neither a standard finalizer name nor is it fully qualified');
  }
}

const namespaceStatusStrategy = statusStrategy<Namespace>({
  validateUpdate(namespace, _old, errors) {
    const phase = namespace.status?.phase ?? '';
    const terminating = Boolean(namespace.metadata?.deletionTimestamp);
    const expected = terminating ? 'Terminating' : 'Active';
    if (phase === expected) return;
    errors.invalid('status.Phase', phase, `may only be '${expected}' if \`deletionTimestamp\` is ${terminating ? 'not empty' : 'empty'}`);
  },
});

/** Set here for generated names, which defaulting did not know yet. */
function labelWithName(draft: Namespace): void {
  const name = draft.metadata?.name;
  if (name && draft.metadata) draft.metadata.labels = { ...draft.metadata.labels, [nameLabel]: name };
}

/** Takes `spec.finalizers`, and nothing of the status. */
const finalizeStrategy: ResourceStrategy<Namespace> = {
  prepareForUpdate(draft, old) {
    keepField(draft, old, 'status');
  },
  validateUpdate: (namespace, _old, errors) => validateFinalizers(namespace, errors, true),
};

export const namespace = defineResource<Namespace>({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  scope: 'Cluster',
  shortNames: ['ns'],
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  schemaName: 'io.k8s.api.core.v1.Namespace',
  storageVersionHash: 'Q3oi5N2YM8M=',
  returnsDeletedObject: true,
  resetFields: ['status'],
  defaults(draft) {
    labelWithName(draft);
    (draft.status ??= {}).phase ||= 'Active';
  },
  strategy: namespaceStrategy,
  selectableFields: { 'status.phase': (n) => n.status?.phase ?? '', name: (n) => n.metadata?.name ?? '' },
  table: defineTable([nameColumn, 'Status', 'Age'], (n, nowMs) => [nameOf(n), n.status?.phase ?? '', age(n, nowMs)]),
  subresources: {
    finalize: { kind: 'Namespace', verbs: ['update'], strategy: finalizeStrategy, resetFields: ['status'] },
    status: statusSubresource('Namespace', namespaceStatusStrategy),
  },
});
