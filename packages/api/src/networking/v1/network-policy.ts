import { defineResource } from '../../define-resource.ts';
import type { NetworkPolicy } from '../../generated/types/networking-v1.ts';

export const networkPolicy = defineResource<NetworkPolicy>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  scope: 'Namespaced',
  shortNames: ['netpol'],
  schemaName: 'io.k8s.api.networking.v1.NetworkPolicy',
  storageVersionHash: 'YpfwF18m1G8=',
  enforcement: 'stored',
});
