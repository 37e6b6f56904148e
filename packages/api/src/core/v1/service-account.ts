import { defineResource } from '../../define-resource.ts';
import type { ServiceAccount } from '../../generated/types/core-v1.ts';

export const serviceAccount = defineResource<ServiceAccount>({
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
