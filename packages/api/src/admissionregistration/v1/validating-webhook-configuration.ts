import { defineResource } from '../../define-resource.ts';
import type { ValidatingWebhookConfiguration } from '../../generated/types/admissionregistration-v1.ts';

export const validatingWebhookConfiguration = defineResource<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  scope: 'Cluster',
  categories: ['api-extensions'],
  schemaName: 'io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration',
  storageVersionHash: 'B0wHjQmsGNk=',
  enforcement: 'refused',
});
