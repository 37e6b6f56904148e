import { defineResource } from '../../define-resource.ts';
import type { SelfSubjectRulesReview } from '../../generated/types/authorization-v1.ts';

export const selfSubjectRulesReview = defineResource<SelfSubjectRulesReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  scope: 'Cluster',
  verbs: ['create'],
  schemaName: 'io.k8s.api.authorization.v1.SelfSubjectRulesReview',
  virtual: true,
});
