import { defineResource } from '../../define-resource.ts';
import type { ValidatingAdmissionPolicyBinding } from '../../generated/types/admissionregistration-v1.ts';
import { defaultBinding, validatingBindingStrategy } from './policy-binding.ts';
import { policyBindingTable } from './policy-binding-table.ts';

export const validatingAdmissionPolicyBinding = defineResource<ValidatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  scope: 'Cluster',
  categories: ['api-extensions'],
  schemaName: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding',
  storageVersionHash: 'v9715VZqakg=',
  defaults: defaultBinding,
  strategy: validatingBindingStrategy,
  table: policyBindingTable,
});
