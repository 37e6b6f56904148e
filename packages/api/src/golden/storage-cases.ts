import type { Json, JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

const quota = one('resourceQuota');
const limits = one('limitRange');
const storageClass = one('storageClass');
const attributes = one('volumeAttributesClass');
const capacity = one('csiStorageCapacity');
const driver = one('csiDriver');
const node = one('csiNode');
const attachment = one('volumeAttachment');

const limit = (...list: Json[]): JsonObject => ({ spec: { limits: list } });
const topology = (...list: Json[]): JsonObject => ({ provisioner: 'a/b', allowedTopologies: list });
const term = (key: string, ...values: string[]): JsonObject => ({ matchLabelExpressions: [{ key, values }] });
const attached = (spec: JsonObject = {}): JsonObject => ({
  spec: { attacher: 'a.b', nodeName: 'n', source: { persistentVolumeName: 'v' }, ...spec },
});
const drivers = (...list: Json[]): JsonObject => ({ spec: { drivers: list } });

export const storageCases: readonly GoldenCase[] = [
  quota('plain', { spec: { hard: { pods: '5', 'requests.cpu': '1' } } }),
  quota('one wrong name', { spec: { hard: { apples: '1' } } }),
  quota('one wrong value', { spec: { hard: { pods: '-1.5' } } }),
  quota('scopes', { spec: { scopes: ['BestEffort', 'NotBestEffort', 'Odd'], hard: { cpu: '1' } } }),
  quota('selector', {
    spec: {
      hard: { pods: '1' },
      scopeSelector: {
        matchExpressions: [
          { scopeName: 'Odd', operator: 'In' },
          { scopeName: 'Terminating', operator: 'In', values: ['a'] },
          { scopeName: 'PriorityClass', operator: 'Exists', values: ['a'] },
          { scopeName: 'PriorityClass', operator: 'Like' },
        ],
      },
    },
  }),
  quota('more requests than limits', { spec: { hard: { 'requests.cpu': '2', 'limits.cpu': '1' } } }),
  quota('other scopes', { spec: { hard: { pods: '1' } } }, { change: { spec: { scopes: ['BestEffort'] } } }),
  quota('status', { spec: { hard: { pods: '1' } } }, { change: { status: { used: { pods: '-1' } } }, subresource: 'status' }),

  limits('plain', limit({ type: 'Container', max: { cpu: '2' }, min: { cpu: '1' } })),
  limits('types', limit({ type: 'Odd' }, { type: 'Odd' }, { type: 'a b' }, { type: 'PersistentVolumeClaim' })),
  limits('Pod', limit({ type: 'Pod', default: { cpu: '1' }, defaultRequest: { cpu: '1' } })),
  limits('order', limit({ type: 'Container', min: { cpu: '3' }, max: { cpu: '2' }, default: { cpu: '1' }, defaultRequest: { cpu: '4' } })),
  limits('ratio', limit({ type: 'Container', min: { cpu: '1' }, max: { cpu: '2' }, maxLimitRequestRatio: { cpu: '5' } })),
  limits('low ratio', limit({ type: 'Pod', maxLimitRequestRatio: { cpu: '500m' } })),
  limits('name', limit({ type: 'Container', max: { apples: '1' } })),
  limits('no overcommit', limit({ type: 'Container', default: { 'a.b/gpu': '2' }, defaultRequest: { 'a.b/gpu': '1' } })),

  storageClass('plain', { provisioner: 'a/B' }),
  storageClass('wrong', { provisioner: '', reclaimPolicy: 'Recycle', volumeBindingMode: 'Later', parameters: { '': 'x' } }),
  storageClass('provisioner', { provisioner: 'a b' }),
  storageClass(
    'topologies',
    topology(term('a b'), term('a', 'x', 'x'), {
      matchLabelExpressions: [
        { key: 'c', values: ['x'] },
        { key: 'c', values: ['y'] },
      ],
    }),
  ),
  storageClass('topology twice', topology(term('a', 'x', 'y'), term('a', 'y', 'x'))),
  storageClass('old label', topology(term('failure-domain.beta.kubernetes.io/zone', 'x'))),
  storageClass(
    'update',
    { provisioner: 'a/b', parameters: { a: 'b' } },
    { change: { parameters: { c: 'd' }, allowVolumeExpansion: true } },
  ),
  attributes('plain', { driverName: 'a.b', parameters: { a: 'b' } }),
  attributes('nothing', { driverName: '' }),
  attributes('update', { driverName: 'a.b', parameters: { a: 'b' } }, { change: { driverName: 'c.d', parameters: { e: 'f' } } }),
  capacity('plain', { storageClassName: 'a', capacity: '1Gi' }),
  capacity('wrong', { storageClassName: 'A_', capacity: '-1', nodeTopology: { matchLabels: { 'a b': '' } } }),
  capacity('old label', {
    storageClassName: 'a',
    nodeTopology: {
      matchLabels: { 'beta.kubernetes.io/os': 'x' },
      matchExpressions: [{ key: 'beta.kubernetes.io/os', operator: 'Exists' }],
    },
  }),
  capacity('update', { storageClassName: 'a' }, { change: { storageClassName: 'b', nodeTopology: { matchLabels: { a: 'b' } } } }),

  driver('plain', { spec: {} }),
  driver('wrong', {
    spec: {
      fsGroupPolicy: 'Odd',
      volumeLifecycleModes: ['Odd'],
      nodeAllocatableUpdatePeriodSeconds: 5,
      tokenRequests: [{ audience: 'a', expirationSeconds: 1 }, { audience: 'a' }, { audience: 'b', expirationSeconds: 4294967297 }],
    },
  }),
  driver('tokens in secrets', { spec: { serviceAccountTokenInSecrets: true } }),
  driver(
    'update',
    { spec: {} },
    { change: { spec: { attachRequired: false, volumeLifecycleModes: ['Ephemeral'], podInfoOnMount: true } } },
  ),
  node('plain', drivers({ name: 'a.b', nodeID: 'x', topologyKeys: ['a'] })),
  node(
    'wrong',
    drivers(
      { name: 'A_', nodeID: '', topologyKeys: ['', 'a b', 'c', 'c'], allocatable: { count: -1 } },
      { name: 'a', nodeID: 'x'.repeat(257) },
      { name: 'a', nodeID: 'y' },
    ),
  ),
  node('update', drivers({ name: 'a.b', nodeID: 'x' }), { change: drivers({ name: 'a.b', nodeID: 'y' }) }),
  node('other count', drivers({ name: 'a.b', nodeID: 'x' }), { change: drivers({ name: 'a.b', nodeID: 'x', allocatable: { count: 5 } }) }),
  attachment('plain', attached()),
  attachment('nothing', attached({ source: {} })),
  attachment('empty', attached({ attacher: '', nodeName: 'N_', source: { persistentVolumeName: '' } })),
  attachment('update', attached(), { change: { spec: { nodeName: 'm' } } }),
  attachment('status', attached(), {
    change: { status: { attached: true, attachError: { message: 'x'.repeat(1025), errorCode: -1 } } },
    subresource: 'status',
  }),
];
