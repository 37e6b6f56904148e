import { defineResource } from '../../define-resource.ts';
import type { SelfSubjectReview } from '../../generated/types/authentication-v1.ts';

export const selfSubjectReview = defineResource<SelfSubjectReview>({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  scope: 'Cluster',
  verbs: ['create'],
  schemaName: 'io.k8s.api.authentication.v1.SelfSubjectReview',
  virtual: true,
});
