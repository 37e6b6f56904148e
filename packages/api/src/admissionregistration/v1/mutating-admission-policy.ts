import { defineResource } from '../../define-resource.ts';
import type { MutatingAdmissionPolicy } from '../../generated/types/admissionregistration-v1.ts';
import { defaultPolicy } from './policy-spec.ts';
import { mutatingPolicyStrategy } from './validate-mutating-policy.ts';
import { age, defineTable, integer, nameColumn, nameOf } from '../../table.ts';

export const mutatingAdmissionPolicy = defineResource<MutatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingAdmissionPolicy',
  plural: 'mutatingadmissionpolicies',
  scope: 'Cluster',
  categories: ['api-extensions'],
  schemaName: 'io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy',
  storageVersionHash: 'LYmCf+UMVdg=',
  defaults: defaultPolicy,
  strategy: mutatingPolicyStrategy,
  table: defineTable([nameColumn, integer('Mutations'), 'ParamKind', 'Age'], (p, nowMs) => {
    const kind = p.spec?.paramKind;
    return [nameOf(p), (p.spec?.mutations ?? []).length, kind ? `${kind.apiVersion ?? ''}/${kind.kind ?? ''}` : '<unset>', age(p, nowMs)];
  }),
});
