import type { JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

const slice = one('endpointSlice');
const lease = one('lease');
const event = one('event');
const newEvent = one('eventsEvent');

const many = (count: number): JsonObject[] => Array.from({ length: count }, (_, i) => ({ name: `n${i}` }));
const time = '2026-01-01T00:00:00.000000Z';
const about: JsonObject = { kind: 'Pod', name: 'p', namespace: 'golden' };
const written: JsonObject = {
  regarding: about,
  eventTime: time,
  reportingController: 'a/b',
  reportingInstance: 'i',
  action: 'a',
  reason: 'r',
  type: 'Normal',
};

export const clusterCases: readonly GoldenCase[] = [
  slice('plain', { addressType: 'IPv4', endpoints: [{ addresses: ['1.2.3.4'] }], ports: [{ port: 80 }] }),
  slice('no type', { addressType: '', endpoints: [] }),
  slice('unknown type', { addressType: 'IPX', endpoints: [] }),
  slice('ports', {
    addressType: 'IPv4',
    endpoints: [],
    ports: [{ port: 80 }, { port: 81 }, { name: 'A_', protocol: 'X', appProtocol: 'a b' }],
  }),
  slice('endpoints', {
    addressType: 'IPv4',
    endpoints: [
      { addresses: [] },
      { addresses: ['x', '127.0.0.1', '2001:db8::1'] },
      { addresses: ['1.2.3.4'], nodeName: 'A_', hostname: 'B_', deprecatedTopology: { a: 'b' } },
      { addresses: ['1.2.3.4'], hints: { forZones: [{ name: 'a b' }, { name: 'z' }, { name: 'z' }], forNodes: [{ name: 'N_' }] } },
      { addresses: ['1.2.3.4'], hints: { forZones: many(9) } },
      { addresses: ['1.2.3.4'], hints: { forNodes: many(9) } },
    ],
  }),
  slice('endpoints of the other family', {
    addressType: 'IPv6',
    endpoints: [{ addresses: ['2001:DB8::1', '1.2.3.4', '::1', '2001:db8::2'] }],
  }),
  slice('names', { addressType: 'FQDN', endpoints: [{ addresses: ['a.b.', 'a', '', 'A_b'] }] }),
  slice('good names', { addressType: 'FQDN', endpoints: [{ addresses: ['a.b.'] }] }),
  slice('other type', { addressType: 'IPv4', endpoints: [] }, { change: { addressType: 'IPv6' } }),
  slice('other endpoints', { addressType: 'IPv4', endpoints: [] }, { change: { endpoints: [{ addresses: ['1.2.3.4'] }] } }),

  lease('plain', { spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: time } }),
  lease('bad', { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } }),
  lease('coordinated', { spec: { strategy: 'X', preferredHolder: 'a' } }),
  lease('update', { spec: {} }, { change: { spec: { leaseDurationSeconds: -1 } } }),

  event('plain', { involvedObject: about, reason: 'r', message: 'm', count: 1 }),
  event('other namespace', { involvedObject: { ...about, namespace: 'x' } }),
  event('no namespace', { involvedObject: { kind: 'Node', name: 'n' } }),
  event('new form', { involvedObject: about, eventTime: time }),
  event('new form too long', {
    involvedObject: { kind: 'Node', name: 'n' },
    eventTime: time,
    reportingComponent: 'a b',
    reportingInstance: 'x'.repeat(129),
    action: 'x'.repeat(129),
    reason: 'x'.repeat(129),
    message: 'x'.repeat(1025),
  }),
  event('changes', { involvedObject: about, reason: 'r' }, { change: { reason: 's', message: 'm' } }),
  newEvent('plain', written),
  newEvent('empty', { regarding: about }),
  newEvent('deprecated fields', {
    ...written,
    type: 'Odd',
    series: { count: 1 },
    deprecatedCount: 1,
    deprecatedSource: { host: 'h' },
    deprecatedFirstTimestamp: '2026-01-01T00:00:00Z',
    deprecatedLastTimestamp: '2026-01-01T00:00:00Z',
  }),
  newEvent('series', written, { change: { series: { count: 2, lastObservedTime: time } } }),
  newEvent('bad series', written, { change: { series: { count: 1, lastObservedTime: null } } }),
  newEvent('changes', written, {
    change: {
      regarding: { name: 'q' },
      related: { name: 'x' },
      reason: 's',
      note: 'n',
      type: 'Warning',
      action: 'b',
      reportingController: 'x',
      reportingInstance: 'y',
      eventTime: '2026-01-01T00:00:01.000000Z',
      deprecatedCount: 3,
      deprecatedSource: { host: 'z' },
      deprecatedFirstTimestamp: '2026-01-01T00:00:00Z',
    },
  }),
];
