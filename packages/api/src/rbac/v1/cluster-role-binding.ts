import { defineResource } from '../../define-resource.ts';
import type { ClusterRoleBinding } from '../../generated/types/rbac-v1.ts';
import { defaultBinding } from './binding-defaults.ts';
import { bindingTable } from './binding-table.ts';
import { validateClusterRoleBinding, validateClusterRoleBindingUpdate } from './validate.ts';

export const clusterRoleBinding = defineResource<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  storageVersionHash: '48tpQ8gZHFc=',
  defaults: defaultBinding,
  strategy: {
    allowCreateOnUpdate: true,
    validate: (binding, errors) => validateClusterRoleBinding(binding, errors),
    validateUpdate: validateClusterRoleBindingUpdate,
  },
  table: bindingTable,
});
