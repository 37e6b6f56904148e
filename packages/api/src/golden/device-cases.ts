import type { JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

const claim = one('resourceClaim');
const slice = one('resourceSlice');
const deviceClass = one('deviceClass');
const template = one('resourceClaimTemplate');

const exactly = (more: JsonObject = {}): JsonObject => ({ name: 'r', exactly: { deviceClassName: 'c', ...more } });
const devices = (more: JsonObject): JsonObject => ({ spec: { devices: { requests: [exactly()], ...more } } });
const requests = (...list: JsonObject[]): JsonObject => ({ spec: { devices: { requests: list } } });
const pooled = (more: JsonObject = {}): JsonObject => ({
  spec: { driver: 'a.b', nodeName: 'n', pool: { name: 'p', generation: 1, resourceSliceCount: 1 }, ...more },
});

const policy = (more: JsonObject): JsonObject => ({ value: '10', requestPolicy: more });
const shared = (capacity: JsonObject): JsonObject => ({ name: 'a', allowMultipleAllocations: true, capacity });
const policies: JsonObject = {
  a: policy({ default: '2', validValues: ['1', '2'] }),
  b: policy({ default: '2', validRange: { min: '1', max: '10', step: '1' } }),
};
const counted: JsonObject = { counterSet: 's', counters: { m: { value: '1' } } };
const nodesOfDevices: JsonObject[] = [
  { name: 'a' },
  { name: 'b', nodeName: '', allNodes: false },
  { name: 'c', nodeName: 'n', allNodes: true },
  { name: 'd', nodeName: 'n' },
];
const result: JsonObject = { request: 'r', driver: 'a.b', pool: 'p', device: 'd' };
const allocated = (r: JsonObject): JsonObject => ({ status: { allocation: { devices: { results: [r] } } } });
const consumer: JsonObject = { resource: 'pods', name: 'p', uid: 'u' };
const conditions: JsonObject[] = [{ type: 'Ready', status: 'Odd', reason: '', message: '', lastTransitionTime: null }];
const deviceStatuses: JsonObject = {
  status: {
    allocation: { devices: { results: [result] } },
    devices: [
      { driver: 'a.b', pool: 'p', device: 'd', data: ['x'], conditions, networkData: { ips: ['10.0.0.1/24', '10.0.0.1', 'FE80::1/64'] } },
      { driver: 'a.b', pool: 'p', device: 'd' },
      { driver: 'a.b', pool: 'p', device: 'other', networkData: { interfaceName: 'a'.repeat(257) } },
    ],
  },
};

export const deviceCases: readonly GoldenCase[] = [
  claim('plain', requests(exactly())),
  claim('all devices', requests(exactly({ allocationMode: 'All' }))),
  claim(
    'counts',
    requests(exactly({ allocationMode: 'All', count: 1 }), { ...exactly({ count: -1 }), name: 's' }, exactly({ allocationMode: 'Odd' })),
  ),
  claim('no class', requests(exactly({ deviceClassName: '' }), { ...exactly({ deviceClassName: 'Odd Name' }), name: 's' })),
  claim('neither exactly nor alternatives', requests({ name: 'r' })),
  claim('both', requests({ ...exactly(), firstAvailable: [{ name: 'a', deviceClassName: 'c' }] })),
  claim('alternatives', requests({ name: 'r', firstAvailable: [{ name: 'a', deviceClassName: 'c' }, { name: 'a' }] })),
  claim('selector without an expression', requests(exactly({ selectors: [{}] }))),
  claim(
    'tolerations',
    requests(exactly({ tolerations: [{}, { operator: 'Exists', value: 'v' }, { key: 'a b', operator: 'Odd', effect: 'Odd' }] })),
  ),
  claim('constraints', devices({ constraints: [{ requests: ['r', 's', 'a/b/c'], matchAttribute: 'noDomain' }, {}] })),
  claim('configurations', devices({ config: [{}, { opaque: { driver: '', parameters: [] } }, { opaque: { driver: 'a.b' } }] })),
  claim('other requests', requests(exactly()), { change: requests(exactly({ count: 2 })) }),
  claim('reserved without an allocation', requests(exactly()), {
    change: { status: { reservedFor: [{ resource: 'pods', name: '', uid: '' }] } },
    subresource: 'status',
  }),
  template('no class', { spec: { spec: { devices: { requests: [exactly({ deviceClassName: '' })] } } } }),
  claim('allocated', requests(exactly()), {
    change: allocated({ request: 'x', driver: '', pool: '', device: 'B', shareID: 'x' }),
    subresource: 'status',
  }),
  claim('configuration of an allocation', requests(exactly()), {
    change: { status: { allocation: { devices: { config: [{ source: 'Odd', requests: ['x'] }, {}] } } } },
    subresource: 'status',
  }),
  claim('statuses of devices', requests(exactly()), { change: deviceStatuses, subresource: 'status' }),
  claim('reserved twice', requests(exactly()), {
    change: { status: { ...(allocated(result).status as JsonObject), reservedFor: [consumer, consumer] } },
    subresource: 'status',
  }),
  template('metadata of the claim', {
    spec: { metadata: { name: 'n', finalizers: ['x.y/z'], labels: { a: 'b c' } }, spec: { devices: { requests: [exactly()] } } },
  }),
  template('finalizer', { metadata: { finalizers: ['x'] }, spec: { spec: { devices: { requests: [exactly()] } } } }),
  deviceClass('extended resource', { spec: { extendedResourceName: 'cpu' } }),
  deviceClass('wrong', { spec: { selectors: [{}], config: [{ opaque: { driver: 'Bad Driver', parameters: 'x' } }] } }),
  slice('plain', pooled()),
  slice('nothing', { spec: {} }),
  slice('pool', pooled({ pool: { name: 'a/B', generation: -1, resourceSliceCount: 0 } })),
  slice('two ways to nodes', pooled({ allNodes: true })),
  slice(
    'node selector',
    pooled({ nodeName: null, nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Odd' }] }] } }),
  ),
  slice('devices', pooled({ devices: [{ name: 'Bad' }, { name: 'a', allNodes: true }, { name: 'a' }] })),
  slice('name of an attribute', pooled({ devices: [{ name: 'a', attributes: { 'a b': {} } }] })),
  slice('version without a name', pooled({ devices: [{ name: 'a', attributes: { 'x.y/': { version: '1' } } }] })),
  slice('long text', pooled({ devices: [{ name: 'a', attributes: { c: { string: 'a'.repeat(65) } } }] })),
  slice('capacity', pooled({ devices: [{ name: 'a', capacity: { m: { value: '1', requestPolicy: { default: '1' } } } }] })),
  slice('taints', pooled({ devices: [{ name: 'a', taints: [{ value: 'a b' }, { key: 'k', effect: 'Odd' }] }] })),
  slice('two values of an attribute', pooled({ devices: [{ name: 'a', attributes: { c: { int: 1, bool: false, string: 'x' } } }] })),
  slice('request policies', pooled({ devices: [shared(policies)] })),
  slice('request policy of both kinds', pooled({ devices: [shared({ m: policy({ validValues: ['1'], validRange: { min: '1' } }) })] })),
  slice('values of a request policy', pooled({ devices: [shared({ m: policy({ default: '9', validValues: ['4', '2', '2', '20'] }) })] })),
  slice(
    'range of a request policy',
    pooled({ devices: [shared({ m: policy({ default: '1', validRange: { min: '2', max: '20', step: '3' } }) })] }),
  ),
  slice('range without a minimum', pooled({ devices: [shared({ m: policy({ default: '1', validRange: { max: '5' } }) })] })),
  slice('counters', pooled({ devices: [{ name: 'a', consumesCounters: [{}, counted, counted] }] })),
  slice(
    'shared counters',
    pooled({
      sharedCounters: [
        { name: 's', counters: { m: { value: '1' } } },
        { name: 's', counters: { M_: { value: '1' } } },
      ],
    }),
  ),
  slice(
    'shared counters beside devices',
    pooled({ devices: [{ name: 'a' }], sharedCounters: [{ name: 's', counters: { m: { value: '1' } } }] }),
  ),
  slice(
    'conditions of a device',
    pooled({ devices: [{ name: 'a', bindingConditions: ['b', 'b', 'a b'], bindingFailureConditions: ['b'] }] }),
  ),
  slice(
    'conditions of one sort',
    pooled({
      devices: [
        { name: 'a', bindingConditions: ['b'] },
        { name: 'b', bindingFailureConditions: ['b'] },
      ],
    }),
  ),
  slice('a node for each device', pooled({ nodeName: null, perDeviceNodeSelection: true, devices: nodesOfDevices })),
  slice('another node', pooled(), { change: { spec: { nodeName: 'm', driver: 'c.d' } } }),
];
