import { defineResource, scaleSubresource, statusSubresource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const statefulSet = defineResource<KubeObject>({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  scope: 'Namespaced',
  shortNames: ['sts'],
  categories: ['all'],
  schemaName: 'io.k8s.api.apps.v1.StatefulSet',
  storageVersionHash: 'H+vl74LkKdo=',
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource('StatefulSet'),
  },
});
