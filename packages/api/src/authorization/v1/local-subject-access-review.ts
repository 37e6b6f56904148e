import { defineResource } from '../../define-resource.ts';
import type { LocalSubjectAccessReview } from '../../generated/types/authorization-v1.ts';

export const localSubjectAccessReview = defineResource<LocalSubjectAccessReview>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  scope: 'Namespaced',
  verbs: ['create'],
  schemaName: 'io.k8s.api.authorization.v1.LocalSubjectAccessReview',
  virtual: true,
});
