import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { runtimeClassWarnings, validateRuntimeClass, validateRuntimeClassUpdate } from './validate.ts';
import { defineResource } from '../../define-resource.ts';
import type { RuntimeClass } from '../../generated/types/node-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const runtimeClass = defineResource<RuntimeClass>({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.node.v1.RuntimeClass',
  storageVersionHash: 'WQTu1GL3T2Q=',
  strategy: {
    validateName: nameIsDNSSubdomain,
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    validate: (c, errors) => validateRuntimeClass(c, errors),
    validateUpdate: validateRuntimeClassUpdate,
    warnings: runtimeClassWarnings,
  },
  table: defineTable([nameColumn, 'Handler', 'Age'], (r, nowMs) => [nameOf(r), r.handler ?? '', age(r, nowMs)]),
});
