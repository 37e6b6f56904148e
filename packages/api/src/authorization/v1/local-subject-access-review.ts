import { defineResource } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const localSubjectAccessReview = defineResource<KubeObject>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  scope: 'Namespaced',
  verbs: ['create'],
  schemaName: 'io.k8s.api.authorization.v1.LocalSubjectAccessReview',
  virtual: true,
});
