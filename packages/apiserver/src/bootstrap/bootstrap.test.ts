import {
  builtinResources,
  clusterRole,
  clusterRoleBinding,
  endpoints,
  namespace,
  service,
  type ClusterRole,
  type ClusterRoleBinding,
  type Endpoints,
  type Service,
} from '@skiff/api';
import { silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { FakeObjects } from '../object-access.fake.ts';
import { aggregateRules } from './aggregate-roles.ts';
import { createBootstrap } from './bootstrap.ts';
import { mergeRole } from './reconcile-rbac.ts';
import { firstServiceAddress } from './system-objects.ts';

const config = {
  advertiseAddress: '192.0.2.1',
  securePort: 6443,
  serviceClusterIpRanges: ['10.96.0.0/16'],
  clientCaPem: 'PEM',
  requestHeader: { caPem: undefined, allowedNames: [] },
};

const alone = { list: () => [] };

describe('bootstrap', () => {
  it('makes what every cluster has, and nothing twice', async () => {
    const objects = new FakeObjects();
    await createBootstrap(config, {
      objects,
      members: alone,
      definitions: builtinResources,
      nowMs: () => Date.parse('2026-03-04T23:00:00Z'),
      log: silentLogger,
    }).run();
    expect(objects.list(namespace).map((n) => n.metadata?.name)).toEqual(
      expect.arrayContaining(['default', 'kube-system', 'kube-public', 'kube-node-lease']),
    );
    expect(objects.get<Service>(service, 'default', 'kubernetes')?.spec).toMatchObject({
      clusterIP: '10.96.0.1',
      ports: [{ port: 443, targetPort: 6443 }],
    });
    expect(objects.get<Endpoints>(endpoints, 'default', 'kubernetes')?.subsets?.[0]?.addresses).toEqual([{ ip: '192.0.2.1' }]);
    const admin = objects.get<ClusterRole>(clusterRole, '', 'admin');
    expect(admin?.rules?.some((r) => r.resources?.includes('roles'))).toBe(true);
    expect(admin?.rules?.some((r) => r.resources?.includes('pods'))).toBe(true);
    const bound = objects.get<ClusterRoleBinding>(clusterRoleBinding, '', 'system:controller:replicaset-controller')?.subjects ?? [];
    expect(bound.map((s) => `${s.kind} ${s.name}`)).toEqual([
      'ServiceAccount replicaset-controller',
      'User system:kube-controller-manager',
    ]);

    let writes = 0;
    const [create, update] = [objects.create.bind(objects), objects.update.bind(objects)];
    objects.create = (...a) => ((writes += 1), create(...a));
    objects.update = (...a) => ((writes += 1), update(...a));
    await createBootstrap(config, {
      objects,
      members: alone,
      definitions: builtinResources,
      nowMs: () => Date.parse('2026-03-04T23:00:00Z'),
      log: silentLogger,
    }).run();
    expect(writes).toBe(0);
  });

  it('follows a server that moved', async () => {
    const objects = new FakeObjects();
    await createBootstrap(config, {
      objects,
      members: alone,
      definitions: builtinResources,
      nowMs: () => Date.parse('2026-03-04T23:00:00Z'),
      log: silentLogger,
    }).run();
    await createBootstrap(
      { ...config, advertiseAddress: '192.0.2.9', securePort: 7443 },
      { objects, members: alone, definitions: builtinResources, nowMs: () => Date.parse('2026-03-04T23:00:00Z'), log: silentLogger },
    ).run();
    expect(objects.get<Service>(service, 'default', 'kubernetes')?.spec?.ports?.[0]?.targetPort).toBe(7443);
    expect(objects.get<Endpoints>(endpoints, 'default', 'kubernetes')?.subsets).toEqual([
      { addresses: [{ ip: '192.0.2.9' }], ports: [{ name: 'https', port: 7443, protocol: 'TCP' }] },
    ]);
  });

  it('gives back what was taken from a default role, and keeps what was added', () => {
    const wanted: ClusterRole = { metadata: { name: 'r' }, rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] };
    const draft: ClusterRole = { metadata: { name: 'r' }, rules: [{ verbs: ['get'], apiGroups: [''], resources: ['nodes'] }] };
    expect(mergeRole(draft, wanted)).toBe(true);
    expect(draft.rules).toHaveLength(2);
    expect(mergeRole(draft, wanted)).toBe(false);
  });
});

describe('aggregateRules', () => {
  it('unites what the selectors find', () => {
    const part = (name: string, resource: string, labels: Record<string, string>): ClusterRole => ({
      metadata: { name, labels },
      rules: [{ verbs: ['get'], apiGroups: [''], resources: [resource] }],
    });
    const whole: ClusterRole = {
      metadata: { name: 'w', labels: { to: 'y' } },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { to: 'x' } }] },
    };
    const above: ClusterRole = { metadata: { name: 'z' }, aggregationRule: { clusterRoleSelectors: [{ matchLabels: { to: 'y' } }] } };
    const roles = [part('b', 'pods', { to: 'x' }), part('a', 'nodes', { to: 'x' }), part('c', 'secrets', {}), whole, above];
    expect(aggregateRules(whole, roles).map((r) => r.resources)).toEqual([['nodes'], ['pods']]);
    expect(aggregateRules(above, roles).map((r) => r.resources)).toEqual([['nodes'], ['pods']]);
  });
});

describe('firstServiceAddress', () => {
  it.each([
    ['10.96.0.0/16', '10.96.0.1'],
    ['fd00::/108', 'fd00::1'],
  ])('%s', (cidr, address) => expect(firstServiceAddress(cidr)).toBe(address));
});
