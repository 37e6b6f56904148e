import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { ConfigMap } from '../../generated/types/core-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';
import { validateConfigMap, validateConfigMapUpdate } from './validate-data.ts';

export const configMap = defineResource<ConfigMap>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  scope: 'Namespaced',
  shortNames: ['cm'],
  schemaName: 'io.k8s.api.core.v1.ConfigMap',
  storageVersionHash: 'qFsyl6wFWjQ=',
  strategy: {
    validateName: nameIsDNSSubdomain,
    validate: (map, errors) => validateConfigMap(map, errors),
    validateUpdate: validateConfigMapUpdate,
  },
  table: defineTable([nameColumn, 'Data', 'Age'], (c, nowMs) => [
    nameOf(c),
    Object.keys({ ...c.data }).length + Object.keys({ ...c.binaryData }).length,
    age(c, nowMs),
  ]),
});
