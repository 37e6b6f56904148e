import { defineResource } from '../../define-resource.ts';
import type { TokenReview } from '../../generated/types/authentication-v1.ts';

export const tokenReview = defineResource<TokenReview>({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  scope: 'Cluster',
  verbs: ['create'],
  schemaName: 'io.k8s.api.authentication.v1.TokenReview',
  virtual: true,
});
