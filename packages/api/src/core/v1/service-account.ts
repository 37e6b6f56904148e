import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const serviceAccount = defineResource<KubeObject>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  scope: 'Namespaced',
  shortNames: ['sa'],
  schemaName: 'io.k8s.api.core.v1.ServiceAccount',
  storageVersionHash: 'pbx9ZvyFpBE=',
  returnsDeletedObject: true,
  subresources: {
    token: { kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: ['create'] },
  },
});
