import { defineResource } from '../../define-resource.ts';
import type { RoleBinding } from '../../generated/types/rbac-v1.ts';
import { defaultBinding } from './binding-defaults.ts';
import { bindingTable } from './binding-table.ts';
import { validateRoleBinding, validateRoleBindingUpdate } from './validate.ts';

export const roleBinding = defineResource<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.rbac.v1.RoleBinding',
  storageVersionHash: 'eGsCzGH6b1g=',
  defaults: defaultBinding,
  strategy: {
    allowCreateOnUpdate: true,
    validate: (binding, errors) => validateRoleBinding(binding, errors),
    validateUpdate: validateRoleBindingUpdate,
  },
  table: bindingTable,
});
