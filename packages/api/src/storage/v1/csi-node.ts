import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { validateCSINode, validateCSINodeUpdate } from './validate-drivers.ts';
import { defineResource } from '../../define-resource.ts';
import type { CSINode } from '../../generated/types/storage-v1.ts';
import { age, defineTable, integer, nameColumn, nameOf } from '../../table.ts';

export const csiNode = defineResource<CSINode>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  plural: 'csinodes',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.storage.v1.CSINode',
  storageVersionHash: 'Pe62DkZtjuo=',
  returnsDeletedObject: true,
  enforcement: 'enforced',
  strategy: {
    validateName: nameIsDNSSubdomain,
    allowUnconditionalUpdate: false,
    validate: (node, errors) => validateCSINode(node, errors),
    validateUpdate: validateCSINodeUpdate,
  },
  table: defineTable([nameColumn, integer('Drivers'), 'Age'], (n, nowMs) => [nameOf(n), (n.spec?.drivers ?? []).length, age(n, nowMs)]),
});
