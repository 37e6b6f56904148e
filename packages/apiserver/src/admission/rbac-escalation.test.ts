import { silentLogger, systemClock } from '@skiff/component-base';
import { clusterRole, clusterRoleBinding, role, roleBinding, type ClusterRole, type ClusterRoleBinding } from '@skiff/api';
import type { JsonObject, ResourceDefinition } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { createAuthorization } from '../authz/authorization.ts';
import type { AdmissionRequest, UserInfo } from '../contract.ts';
import { FakeObjects } from '../object-access.fake.ts';
import { compactRules, rbacEscalation } from './rbac-escalation.ts';

const apiGroup = 'rbac.authorization.k8s.io';
const podReader = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] };
const secretReader = { verbs: ['get'], apiGroups: [''], resources: ['secrets'] };

const objects = new FakeObjects();
const authorization = createAuthorization(
  { steps: [{ type: 'RBAC' }], file: undefined },
  { objects, clock: systemClock, log: silentLogger },
);
const plugin = rbacEscalation(authorization);
const grant = (name: string, rules: ClusterRole['rules'], user: string): void => {
  objects.put<ClusterRole>(clusterRole, { metadata: { name }, ...(rules === undefined ? {} : { rules }) });
  objects.put<ClusterRoleBinding>(clusterRoleBinding, {
    metadata: { name },
    roleRef: { apiGroup, kind: 'ClusterRole', name },
    subjects: [{ kind: 'User', name: user }],
  });
};
grant('reader', [podReader], 'alice');
grant('binder', [{ verbs: ['bind'], apiGroups: [apiGroup], resources: ['clusterroles'], resourceNames: ['secrets'] }], 'bea');
grant('escalator', [{ verbs: ['escalate'], apiGroups: [apiGroup], resources: ['roles', 'clusterroles'] }], 'eve');
objects.put<ClusterRole>(clusterRole, { metadata: { name: 'secrets' }, rules: [secretReader] });

async function write(definition: unknown, user: UserInfo, object: unknown, oldObject: unknown = null): Promise<void> {
  const r = {
    operation: oldObject === null ? 'CREATE' : 'UPDATE',
    definition: definition as ResourceDefinition,
    subresource: '',
    namespace: '',
    name: 'x',
    object: object as JsonObject,
    oldObject: oldObject as JsonObject | null,
    options: {},
    dryRun: false,
    user,
    warnings: [],
    memo: new Map(),
  } as AdmissionRequest;
  expect(plugin.handles(r)).toBe(true);
  await plugin.validate?.(r, new AbortController());
}
const as = (name: string, groups: string[] = []): UserInfo => ({ name, groups });
const binding = (to: string) => ({ metadata: { name: 'x' }, roleRef: { apiGroup, kind: 'ClusterRole', name: to }, subjects: [] });

describe('RBAC escalation', () => {
  it('lets nobody grant what they lack', async () => {
    await write(role, as('alice'), { metadata: { name: 'x' }, rules: [podReader] });
    await expect(write(role, as('alice', ['devs']), { metadata: { name: 'x' }, rules: [podReader, secretReader] })).rejects.toThrow(
      'roles.rbac.authorization.k8s.io "x" is forbidden: user "alice" (groups=["devs"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
    );
    await write(role, as('eve'), { metadata: { name: 'x' }, rules: [secretReader] });
    await write(role, as('root', ['system:masters']), { metadata: { name: 'x' }, rules: [secretReader] });
  });
  it('lets nobody bind what they lack', async () => {
    await write(clusterRoleBinding, as('alice'), binding('reader'));
    await expect(write(clusterRoleBinding, as('alice'), binding('secrets'))).rejects.toThrow('not currently held');
    await write(clusterRoleBinding, as('bea'), binding('secrets'));
    await expect(write(roleBinding, as('bea'), binding('reader'))).rejects.toThrow('not currently held');
    await expect(write(clusterRoleBinding, as('alice'), binding('gone'))).rejects.toThrow(
      'clusterroles.rbac.authorization.k8s.io "gone" not found',
    );
  });
  it('keeps aggregation to administrators and garbage collection possible', async () => {
    await expect(write(clusterRole, as('alice'), { metadata: { name: 'x' }, rules: [], aggregationRule: {} })).rejects.toThrow(
      'must have cluster-admin privileges to use the aggregationRule',
    );
    const old = { metadata: { name: 'x', finalizers: ['f'] }, rules: [secretReader] };
    await write(role, as('alice'), { metadata: { name: 'x' }, rules: [secretReader] }, old);
  });
  it('shows missing rights shortly', () => {
    expect(compactRules([secretReader, { ...secretReader, verbs: ['list'] }])).toEqual([{ ...secretReader, verbs: ['get', 'list'] }]);
  });
});
