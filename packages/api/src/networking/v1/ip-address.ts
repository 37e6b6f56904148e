import { defineResource } from '../../define-resource.ts';
import type { IPAddress } from '../../generated/types/networking-v1.ts';

export const ipAddress = defineResource<IPAddress>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  scope: 'Cluster',
  shortNames: ['ip'],
  schemaName: 'io.k8s.api.networking.v1.IPAddress',
  storageVersionHash: '3f/plJFChNE=',
});
