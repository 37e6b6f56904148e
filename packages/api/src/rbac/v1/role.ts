import { defineResource } from '../../define-resource.ts';
import type { Role } from '../../generated/types/rbac-v1.ts';
import { validateRole } from './validate.ts';

export const role = defineResource<Role>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.rbac.v1.Role',
  storageVersionHash: '7FuwZcIIItM=',
  strategy: {
    allowCreateOnUpdate: true,
    validate: (role, errors) => validateRole(role, errors),
    validateUpdate: (role, _old, errors) => validateRole(role, errors),
  },
});
