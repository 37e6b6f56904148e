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
  slice('another node', pooled(), { change: { spec: { nodeName: 'm', driver: 'c.d' } } }),
];
