import type { EndpointSlice, Service } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { cidrMatcher } from '../table/ip.ts';
import { createZone, type ZoneSource } from './zone.ts';

const services: readonly Service[] = [
  {
    metadata: { name: 'web', namespace: 'ns' },
    spec: {
      clusterIP: '10.96.0.50',
      ports: [
        { name: 'http', port: 80 },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    },
  },
  { metadata: { name: 'dual', namespace: 'ns' }, spec: { clusterIP: '10.96.0.51', clusterIPs: ['10.96.0.51', 'fd00:96::51'], ports: [] } },
  { metadata: { name: 'peers', namespace: 'ns' }, spec: { clusterIP: 'None', ports: [{ name: 'db', port: 5432 }] } },
  { metadata: { name: 'out', namespace: 'ns' }, spec: { type: 'ExternalName', externalName: 'example.org.' } },
];
const slices: readonly EndpointSlice[] = [
  {
    metadata: { name: 'peers-1', namespace: 'ns', labels: { 'kubernetes.io/service-name': 'peers' } },
    addressType: 'IPv4',
    endpoints: [
      { addresses: ['10.244.1.2'], hostname: 'db-0' },
      { addresses: ['10.244.1.3'], conditions: { ready: true } },
      { addresses: ['10.244.1.4'], hostname: 'db-2', conditions: { ready: false } },
    ],
    ports: [{ name: 'db', port: 15_432, protocol: 'TCP' }],
  },
];
const source: ZoneSource = {
  service: (namespace, name) => services.find((s) => s.metadata?.namespace === namespace && s.metadata.name === name),
  slicesOf: (namespace, name) =>
    slices.filter((s) => s.metadata?.namespace === namespace && s.metadata.labels?.['kubernetes.io/service-name'] === name),
  hasNamespace: (namespace) => services.some((s) => s.metadata?.namespace === namespace),
  servicesByAddress: (address) => services.filter((s) => s.spec?.clusterIP === address || s.spec?.clusterIPs?.includes(address)),
  slicesByAddress: (address) => slices.filter((s) => s.endpoints?.some((e) => e.addresses.includes(address))),
};
const zone = createZone(
  { domain: 'cluster.local', dnsAddress: '10.96.0.10', ownsAddress: cidrMatcher(['10.96.0.0/16', '10.244.0.0/16']) },
  source,
);

/** `type data` of each record, or what else the answer is. */
function ask(name: string, type = 'A'): readonly string[] | string {
  const answer = zone.answer(name, type);
  if (answer.kind !== 'found') return answer.kind;
  return answer.records.map((r) =>
    r.type === 'SRV'
      ? `SRV ${r.data.priority} ${r.data.weight} ${r.data.port} ${r.data.target}`
      : r.type === 'SOA'
        ? 'SOA'
        : `${r.type} ${r.data}`,
  );
}
const s = 'ns.svc.cluster.local';

describe('zone', () => {
  it.each<[string, string, readonly string[] | string]>([
    [`web.${s}`, 'A', ['A 10.96.0.50']],
    [`WEB.NS.svc.cluster.LOCAL.`, 'A', ['A 10.96.0.50']],
    [`web.${s}`, 'AAAA', []],
    [`web.${s}`, 'MX', []],
    [`dual.${s}`, 'A', ['A 10.96.0.51']],
    [`dual.${s}`, 'AAAA', ['AAAA fd00:96::51']],
    [`absent.${s}`, 'A', 'no-such-name'],
    [`web.other.svc.cluster.local`, 'A', 'no-such-name'],
    [`a.web.${s}`, 'A', 'no-such-name'],
    [s, 'A', []],
    ['other.svc.cluster.local', 'A', 'no-such-name'],
    ['svc.cluster.local', 'A', []],
    ['cluster.local', 'A', []],
    ['cluster.local', 'SOA', ['SOA']],
    ['cluster.local', 'NS', ['NS ns.dns.cluster.local']],
    ['ns.dns.cluster.local', 'A', ['A 10.96.0.10']],
    ['dns-version.cluster.local', 'TXT', ['TXT 1.1.0']],
    ['x.cluster.local', 'A', 'no-such-name'],
    ['example.org', 'A', 'not-ours'],
    ['notcluster.local', 'A', 'not-ours'],
    ['local', 'A', 'not-ours'],
  ])('%s %s', (name, type, expected) => expect(ask(name, type)).toEqual(expected));

  it.each<[string, string, readonly string[] | string]>([
    [`peers.${s}`, 'A', ['A 10.244.1.2', 'A 10.244.1.3']],
    [`db-0.peers.${s}`, 'A', ['A 10.244.1.2']],
    [`10-244-1-3.peers.${s}`, 'A', ['A 10.244.1.3']],
    [`10-244-1-2.peers.${s}`, 'A', 'no-such-name'],
    [`db-2.peers.${s}`, 'A', 'no-such-name'],
    [`db-0.peers.${s}`, 'AAAA', []],
    [`_db._tcp.peers.${s}`, 'SRV', [`SRV 0 50 15432 db-0.peers.${s}`, `SRV 0 50 15432 10-244-1-3.peers.${s}`]],
  ])('headless: %s %s', (name, type, expected) => expect(ask(name, type)).toEqual(expected));

  it.each<[string, string, readonly string[] | string]>([
    [`_http._tcp.web.${s}`, 'SRV', [`SRV 0 100 80 web.${s}`]],
    [`_dns._udp.web.${s}`, 'SRV', [`SRV 0 100 53 web.${s}`]],
    [`_http._udp.web.${s}`, 'SRV', 'no-such-name'],
    [`_http._tcp.web.${s}`, 'A', []],
    [`_tcp.web.${s}`, 'SRV', []],
    [`_none._tcp.web.${s}`, 'SRV', 'no-such-name'],
    [`web.${s}`, 'SRV', [`SRV 0 50 80 web.${s}`, `SRV 0 50 53 web.${s}`]],
  ])('ports: %s %s', (name, type, expected) => expect(ask(name, type)).toEqual(expected));

  it('names the addresses of SRV targets', () => {
    const answer = zone.answer(`_db._tcp.peers.${s}`, 'SRV');
    expect(answer.kind === 'found' && answer.additionals.map((r) => `${r.name} ${r.type}`)).toEqual([
      `db-0.peers.${s} A`,
      `10-244-1-3.peers.${s} A`,
    ]);
  });

  it.each<[string, string, readonly string[] | string]>([
    ['50.0.96.10.in-addr.arpa', 'PTR', [`PTR web.${s}`]],
    ['2.1.244.10.in-addr.arpa', 'PTR', [`PTR db-0.peers.${s}`]],
    ['3.1.244.10.in-addr.arpa', 'PTR', [`PTR 10-244-1-3.peers.${s}`]],
    ['99.0.96.10.in-addr.arpa', 'PTR', 'no-such-name'],
    ['8.8.8.8.in-addr.arpa', 'PTR', 'not-ours'],
    ['96.10.in-addr.arpa', 'PTR', 'not-ours'],
    [`1.5.0.0.${'0.'.repeat(20)}6.9.0.0.0.0.d.f.ip6.arpa`, 'PTR', [`PTR dual.${s}`]],
  ])('reverse: %s', (name, type, expected) => expect(ask(name, type)).toEqual(expected));

  it.each<[string, string, readonly string[] | string]>([
    ['10-244-1-9.ns.pod.cluster.local', 'A', ['A 10.244.1.9']],
    ['10-244-1-9.ns.pod.cluster.local', 'AAAA', []],
    ['fd00--1.ns.pod.cluster.local', 'AAAA', ['AAAA fd00::1']],
    ['web.ns.pod.cluster.local', 'A', 'no-such-name'],
    ['ns.pod.cluster.local', 'A', []],
    ['pod.cluster.local', 'A', []],
  ])('pods: %s %s', (name, type, expected) => expect(ask(name, type)).toEqual(expected));

  it.each<[string, string, readonly string[] | string]>([
    [`out.${s}`, 'A', ['CNAME example.org']],
    [`out.${s}`, 'CNAME', ['CNAME example.org']],
    [`out.${s}`, 'PTR', []],
    [`a.out.${s}`, 'A', 'no-such-name'],
  ])('external names: %s %s', (name, type, expected) => expect(ask(name, type)).toEqual(expected));
});
