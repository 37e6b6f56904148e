import { defineResource } from '../../define-resource.ts';
import type { Namespace } from '../../generated/types/core-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

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
  subresources: {
    finalize: { kind: 'Namespace', verbs: ['update'], strategy: {} },
    status: statusSubresource('Namespace'),
  },
});
