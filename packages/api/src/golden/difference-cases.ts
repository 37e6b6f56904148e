import type { JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

/** What scripts/compare found, a case for each rule. */
const template: JsonObject = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
const workload = (spec: JsonObject = {}): JsonObject => ({ spec: { selector: { matchLabels: { a: 'b' } }, template, ...spec } });
const claims = (...list: JsonObject[]): JsonObject =>
  workload({
    volumeClaimTemplates: list.map((c) => ({ spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } }, ...c })),
  });
const driver = (spec: JsonObject = {}): JsonObject => ({ spec: { tokenRequests: [{ audience: 'a' }], ...spec } });
const term = (key: string, ...values: string[]): JsonObject => ({ matchLabelExpressions: [{ key, values }] });
const storageClass: JsonObject = { provisioner: 'a/b', allowedTopologies: [term('zone', 'a')] };
const parent: JsonObject = { group: '', resource: 'services', namespace: 'golden', name: 's' };

export const differenceCases: readonly GoldenCase[] = [
  one('lease')('any finalizer', { metadata: { finalizers: ['x'] } }),
  one('podDisruptionBudget')('any finalizer', { metadata: { finalizers: ['x'] }, spec: { minAvailable: 1 } }),
  one('configMap')('finalizer without a domain', { metadata: { finalizers: ['x'] } }),
  one('configMap')('long label', { metadata: { labels: { a: 'a'.repeat(64) } } }),
  one('configMap')('long key of a label', { metadata: { labels: { ['b'.repeat(64)]: 'c' } } }),
  one('replicationController')('long name', { metadata: { name: 'a'.repeat(254) }, spec: { selector: { a: 'b' }, template } }),
  one('replicationController')(
    'warnings of an update',
    { spec: { replicas: 1, selector: { a: 'b' }, template } },
    { change: { spec: { replicas: 2, template: { spec: { terminationGracePeriodSeconds: -1 } } } } },
  ),
  one('podTemplate')('image with a long name', {
    template: { ...template, spec: { containers: [{ name: 'c', image: 'a'.repeat(256) }] } },
  }),
  one('daemonSet')('template generation', workload()),
  one('statefulSet')('claim templates of one name', claims({ metadata: { name: 'v' } }, { metadata: { name: 'v' } })),
  one('statefulSet')('claim templates of another kind', claims({ metadata: { name: 'v' }, kind: 'X', apiVersion: 'y/z' })),
  one('deployment')(
    'selector as messages show it',
    workload({ selector: { matchExpressions: [{ operator: 'Odd', key: 'k' }], matchLabels: { c: 'd', a: 'b' } } }),
  ),
  one('deployment')('no selector any more', workload(), { change: { spec: { selector: null } } }),
  one('daemonSet')('no selector any more', workload(), { change: { spec: { selector: null } } }),
  one('replicaSet')('no spec any more', workload(), { change: { spec: null } }),
  one('csiDriver')('tokens in the volume context', driver()),
  one('csiDriver')('tokens in secrets', driver({ serviceAccountTokenInSecrets: true })),
  one('csiDriver')('other tokens', driver(), { change: { spec: { tokenRequests: [{ audience: 'b' }] } } }),
  one('csiDriver')('same tokens', driver(), { change: { spec: { podInfoOnMount: true } } }),
  one('storageClass')('topologies of an update', storageClass, { change: { allowedTopologies: [term('zone', 'a'), term('zone', 'a')] } }),
  one('storageClass')('no provisioner any more', storageClass, { change: { provisioner: '' } }),
  one('csiStorageCapacity')('no class any more', { storageClassName: 's' }, { change: { storageClassName: '' } }),
  one('runtimeClass')(
    'tolerations of an update',
    { handler: 'h' },
    { change: { scheduling: { tolerations: [{ tolerationSeconds: 1, key: 'k', operator: 'Exists' }] } } },
  ),
  one('ipAddress')(
    'no parent any more',
    { metadata: { name: '10.5.5.5' }, spec: { parentRef: parent } },
    { change: { spec: { parentRef: { name: '' } } } },
  ),
];
