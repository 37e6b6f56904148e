import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const ipAddress = defineResource<KubeObject>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  scope: 'Cluster',
  shortNames: ['ip'],
  schemaName: 'io.k8s.api.networking.v1.IPAddress',
  storageVersionHash: '3f/plJFChNE=',
});
