import { nameIsDNSLabel, type ResourceStrategy } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { Namespace } from '../../generated/types/core-v1.ts';
import { keepField, statusStrategy, statusSubresource } from '../../spec-and-status.ts';

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
  canonicalize: labelWithName,
};

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
};
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

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
    status: statusSubresource('Namespace', statusStrategy()),
  },
});
