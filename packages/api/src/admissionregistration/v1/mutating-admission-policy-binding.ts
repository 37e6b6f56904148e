import { defineResource } from '../../define-resource.ts';
import type { MutatingAdmissionPolicyBinding } from '../../generated/types/admissionregistration-v1.ts';
import { defaultBinding, mutatingBindingStrategy } from './policy-binding.ts';
import { policyBindingTable } from './policy-binding-table.ts';

export const mutatingAdmissionPolicyBinding = defineResource<MutatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingAdmissionPolicyBinding',
  plural: 'mutatingadmissionpolicybindings',
  scope: 'Cluster',
  categories: ['api-extensions'],
  schemaName: 'io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding',
  storageVersionHash: '90V5FRZZ3Zg=',
  defaults: defaultBinding,
  strategy: mutatingBindingStrategy,
  table: policyBindingTable,
});
