import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const networkPolicy = defineResource<KubeObject>({
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
