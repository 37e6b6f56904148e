import {
  clusterRole,
  clusterRoleBinding,
  role,
  roleBinding,
  type ClusterRole,
  type ClusterRoleBinding,
  type Role,
  type RoleBinding,
} from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { resourceAttributes } from './authorizer.ts';
import { FakeObjects } from '../object-access.fake.ts';
import { createRbacAuthorizer, createRuleResolver } from './rbac.ts';

const apiGroup = 'rbac.authorization.k8s.io';
const pods = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };

function world() {
  const objects = new FakeObjects();
  const resolver = createRuleResolver(objects);
  const authorizer = createRbacAuthorizer(resolver);
  const ask = (name: string, o: { groups?: string[]; namespace?: string } = {}) =>
    authorizer.authorize(
      resourceAttributes({ name, groups: o.groups ?? [] }, { verb: 'get', resource: 'pods', namespace: o.namespace ?? '' }),
    );
  return { objects, resolver, ask };
}

describe('RBAC', () => {
  it('follows cluster-wide bindings of users, groups and accounts', () => {
    const { objects, ask } = world();
    objects.put<ClusterRole>(clusterRole, { metadata: { name: 'reader' }, rules: [pods] });
    expect(ask('bob').decision).toBe('no-opinion');
    objects.put<ClusterRoleBinding>(clusterRoleBinding, {
      metadata: { name: 'b' },
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'reader' },
      subjects: [
        { kind: 'User', name: 'bob' },
        { kind: 'Group', name: 'devs' },
        { kind: 'ServiceAccount', name: 'sa', namespace: 'ns' },
      ],
    });
    expect(ask('bob')).toEqual({
      decision: 'allow',
      reason: 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to User "bob"',
    });
    expect(ask('eve', { groups: ['devs'], namespace: 'x' }).reason).toBe(
      'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "devs"',
    );
    expect(ask('system:serviceaccount:ns:sa').reason).toContain('to ServiceAccount "sa/ns"');
    expect(ask('devs').decision).toBe('no-opinion');
  });

  it('keeps namespaces apart and forgets what is unbound', async () => {
    const { objects, ask } = world();
    objects.put<Role>(role, { metadata: { name: 'r', namespace: 'a' }, rules: [pods] });
    objects.put<RoleBinding>(roleBinding, {
      metadata: { name: 'b', namespace: 'a' },
      roleRef: { apiGroup, kind: 'Role', name: 'r' },
      subjects: [{ kind: 'User', name: 'bob' }],
    });
    expect(ask('bob', { namespace: 'a' }).reason).toBe('RBAC: allowed by RoleBinding "b/a" of Role "r" to User "bob"');
    expect(ask('bob', { namespace: 'b' }).decision).toBe('no-opinion');
    expect(ask('bob').decision).toBe('no-opinion');
    await objects.delete(roleBinding, 'a', 'b');
    expect(ask('bob', { namespace: 'a' }).decision).toBe('no-opinion');
  });

  it('says which roles are missing', () => {
    const { objects, ask } = world();
    objects.put<ClusterRoleBinding>(clusterRoleBinding, {
      metadata: { name: 'b' },
      roleRef: { apiGroup, kind: 'ClusterRole', name: 'gone' },
      subjects: [{ kind: 'User', name: 'bob' }],
    });
    expect(ask('bob')).toEqual({ decision: 'no-opinion', reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found' });
  });
});
