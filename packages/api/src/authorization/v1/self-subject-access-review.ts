import { defineResource } from '../../define-resource.ts';
import type { SelfSubjectAccessReview } from '../../generated/types/authorization-v1.ts';

export const selfSubjectAccessReview = defineResource<SelfSubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  scope: 'Cluster',
  verbs: ['create'],
  schemaName: 'io.k8s.api.authorization.v1.SelfSubjectAccessReview',
  virtual: true,
});
