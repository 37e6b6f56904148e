import { defineResource } from '../../define-resource.ts';
import type { CustomResourceDefinition } from '../../generated/types/apiextensions-v1.ts';
import { statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { defaultDefinition, definitionStrategy } from './strategy.ts';

export const customResourceDefinition = defineResource<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  scope: 'Cluster',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  schemaName: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  storagePrefix: 'apiextensions.k8s.io/customresourcedefinitions',
  storageVersionHash: 'jfWCUB31mvA=',
  resetFields: ['status'],
  defaults: defaultDefinition,
  strategy: definitionStrategy,
  subresources: {
    status: statusSubresource('CustomResourceDefinition', statusStrategy({ allowUnconditionalUpdate: false })),
  },
});
