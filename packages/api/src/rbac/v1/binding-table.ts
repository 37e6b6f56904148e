import type { ClusterRoleBinding, RoleBinding } from '../../generated/types/rbac-v1.ts';
import { age, defineTable, nameColumn, nameOf, wide } from '../../table.ts';

export const bindingTable = defineTable<RoleBinding | ClusterRoleBinding>(
  [nameColumn, 'Role', 'Age', wide('Users'), wide('Groups'), wide('ServiceAccounts')],
  (binding, nowMs) => {
    const names = (kind: string): string =>
      (binding.subjects ?? [])
        .filter((s) => s.kind === kind)
        .map((s) => (kind === 'ServiceAccount' ? `${s.namespace ?? ''}/${s.name}` : s.name))
        .join(', ');
    const role = `${binding.roleRef?.kind ?? ''}/${binding.roleRef?.name ?? ''}`;
    return [nameOf(binding), role, age(binding, nowMs), names('User'), names('Group'), names('ServiceAccount')];
  },
);
