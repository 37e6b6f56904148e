import { defineResource } from '../../define-resource.ts';
import type { ValidatingAdmissionPolicy } from '../../generated/types/admissionregistration-v1.ts';
import { keepMetadata, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { age, defineTable, integer, nameColumn, nameOf } from '../../table.ts';
import { defaultPolicy } from './policy-spec.ts';
import { validatePolicyStatus, validatingPolicyStrategy } from './validate-validating-policy.ts';

export const validatingAdmissionPolicy = defineResource<ValidatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  scope: 'Cluster',
  categories: ['api-extensions'],
  schemaName: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy',
  storageVersionHash: '6OxvlMmQ6is=',
  resetFields: ['status'],
  defaults: defaultPolicy,
  strategy: validatingPolicyStrategy,
  table: defineTable([nameColumn, integer('Validations'), 'ParamKind', 'Age'], (p, nowMs) => {
    const kind = p.spec?.paramKind;
    return [nameOf(p), (p.spec?.validations ?? []).length, kind ? `${kind.apiVersion ?? ''}/${kind.kind ?? ''}` : '<unset>', age(p, nowMs)];
  }),
  subresources: {
    status: {
      ...statusSubresource(
        'ValidatingAdmissionPolicy',
        statusStrategy({ prepareForUpdate: keepMetadata, validateUpdate: validatePolicyStatus }),
      ),
      resetFields: ['spec', 'metadata'],
    },
  },
});
