import { defineResource } from '../../define-resource.ts';
import type { SubjectAccessReview } from '../../generated/types/authorization-v1.ts';

export const subjectAccessReview = defineResource<SubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  scope: 'Cluster',
  verbs: ['create'],
  schemaName: 'io.k8s.api.authorization.v1.SubjectAccessReview',
  virtual: true,
});
