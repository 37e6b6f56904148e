import { defineResource } from '../../define-resource.ts';
import type { ClusterRole } from '../../generated/types/rbac-v1.ts';
import { validateClusterRole } from './validate.ts';

export const clusterRole = defineResource<ClusterRole>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.rbac.v1.ClusterRole',
  storageVersionHash: 'bYE5ZWDrJ44=',
  strategy: {
    allowCreateOnUpdate: true,
    validate: (role, errors) => validateClusterRole(role, errors),
    validateUpdate: (role, old, errors) => validateClusterRole(role, errors, old),
  },
});
