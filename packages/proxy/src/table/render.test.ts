import type { EndpointSlice, Service } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { applyDelta, diffTables } from './diff.ts';
import { createRenderer } from './render.ts';
import type { ProxyState } from './state.ts';

const config = { clusterCidr: '10.244.0.0/16', shadowCidr: '10.220.0.0/16', nodePortAddresses: 'all' } as const;

function service(name: string, spec: Service['spec'], more: Partial<Service> = {}): Service {
  return {
    metadata: { name, namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { clusterIP: '10.96.0.50', ...spec },
    ...more,
  };
}
type SliceEndpoint = NonNullable<EndpointSlice['endpoints']>[number];
function slice(
  name: string,
  endpoints: readonly SliceEndpoint[],
  ports: EndpointSlice['ports'] = [{ name: 'http', port: 8080 }],
): EndpointSlice {
  const metadata = { name: `${name}-1`, namespace: 'ns', labels: { 'kubernetes.io/service-name': name } };
  return { metadata, addressType: 'IPv4', endpoints: [...endpoints], ports };
}
const ready = (address: string, more: Partial<SliceEndpoint> = {}): SliceEndpoint => ({
  addresses: [address],
  conditions: { ready: true },
  ...more,
});
const stopping = (address: string, serving: boolean): SliceEndpoint => ({
  addresses: [address],
  conditions: { ready: false, serving, terminating: true },
});

function state(services: readonly Service[], slices: readonly EndpointSlice[], more: Partial<ProxyState> = {}): ProxyState {
  return {
    node: { name: 'n1', hostMates: [], zone: 'a', podCidrs: ['10.244.1.0/24'], lostNodes: [], internalAddresses: ['192.168.1.5'] },
    services,
    slicesOf: (key) => slices.filter((s) => `ns/${s.metadata?.labels?.['kubernetes.io/service-name']}` === key),

    hostAddresses: ['127.0.0.1', '192.168.1.5'],
    nodeAddresses: new Set(['192.168.1.5', '192.168.1.6']),
    liveness: undefined,
    dns: { address: '10.96.0.10', relaySocket: '/run/dns.sock', tcp: { address: '169.254.64.0', port: 10_053 }, metrics: undefined },
    ...more,
  };
}
const render = (s: ProxyState) => createRenderer(config).render(s, undefined);
/** What listens, without DNS: `place protocol address:port → endpoints`. */
function listeners(s: ProxyState): Record<string, readonly string[]> {
  const { table } = render(s);
  return Object.fromEntries(
    Object.entries(table.frontends)
      .filter(([, f]) => !f.group.startsWith('dns/'))
      .map(([key, f]) => [key, (table.groups[f.group]?.endpoints ?? []).map((e) => `${e.address}:${e.port}`)]),
  );
}
const http = [{ name: 'http', port: 80 }];

describe('a ClusterIP', () => {
  it('leads to the ready endpoints of all slices, each slice with its own target port', () => {
    const s = state(
      [service('web', { ports: http })],
      [slice('web', [ready('10.244.1.2'), ready('10.244.1.3')]), slice('web', [ready('10.244.2.2')], [{ name: 'http', port: 9090 }])],
    );
    expect(listeners(s)).toEqual({ 'services TCP 10.96.0.50:80': ['10.244.1.2:8080', '10.244.1.3:8080', '10.244.2.2:9090'] });
  });
  it('is not served from slices that are labelled headless', () => {
    const own = slice('web', [ready('10.244.1.2')]);
    const labels = { ...own.metadata?.labels, 'service.kubernetes.io/headless': '' };
    expect(listeners(state([service('web', { ports: http })], [{ ...own, metadata: { ...own.metadata, labels } }]))).toEqual({});
  });
  it('keeps ports and protocols apart', () => {
    const ports = [
      { name: 'http', port: 80 },
      { name: 'dns', port: 80, protocol: 'UDP' },
    ];
    const target = [
      { name: 'http', port: 8080, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    expect(listeners(state([service('web', { ports })], [slice('web', [ready('10.244.1.2')], target)]))).toEqual({
      'services TCP 10.96.0.50:80': ['10.244.1.2:8080'],
      'services UDP 10.96.0.50:80': ['10.244.1.2:53'],
    });
  });
  it.each<[string, readonly SliceEndpoint[], readonly string[] | undefined]>([
    ['has no listener without endpoints', [], undefined],
    ['has no listener when none is ready', [{ addresses: ['10.244.1.2'], conditions: { ready: false } }], undefined],
    ['counts an unknown condition as ready', [{ addresses: ['10.244.1.2'] }], ['10.244.1.2:8080']],
    ['prefers ready ones to those that stop', [ready('10.244.1.2'), stopping('10.244.1.3', true)], ['10.244.1.2:8080']],
    ['falls back to those that stop and still serve', [stopping('10.244.1.3', true), stopping('10.244.1.4', false)], ['10.244.1.3:8080']],
    ['has no listener when all that stop serve no more', [stopping('10.244.1.4', false)], undefined],
  ])('%s', (_, endpoints, expected) => {
    expect(listeners(state([service('web', { ports: http })], [slice('web', endpoints)]))['services TCP 10.96.0.50:80']).toEqual(expected);
  });
  it.each<[string, Service]>([
    ['headless', service('web', { clusterIP: 'None', ports: http })],
    ['an external name', service('web', { type: 'ExternalName', externalName: 'a.b', ports: http })],
    [
      "another proxy's",
      {
        ...service('web', { ports: http }),
        metadata: { name: 'web', namespace: 'ns', labels: { 'service.kubernetes.io/service-proxy-name': 'x' } },
      },
    ],
  ])('is not served when the Service is %s', (_, object) => {
    expect(listeners(state([object], [slice('web', [ready('10.244.1.2')])]))).toEqual({});
  });
  it('stays on the node with internalTrafficPolicy Local', () => {
    const endpoints = [ready('10.244.1.2', { nodeName: 'n1' }), ready('10.244.2.2', { nodeName: 'n2' })];
    const s = state([service('web', { ports: http, internalTrafficPolicy: 'Local' })], [slice('web', endpoints)]);
    expect(listeners(s)).toEqual({ 'services TCP 10.96.0.50:80': ['10.244.1.2:8080'] });
  });
  it('follows topology hints when all endpoints have them', () => {
    const hinted = [
      ready('10.244.1.2', { hints: { forZones: [{ name: 'a' }] } }),
      ready('10.244.2.2', { hints: { forZones: [{ name: 'b' }] } }),
    ];
    const web = service('web', { ports: http });
    expect(listeners(state([web], [slice('web', hinted)]))).toEqual({ 'services TCP 10.96.0.50:80': ['10.244.1.2:8080'] });
    const partly = [...hinted, ready('10.244.3.2')];
    expect(listeners(state([web], [slice('web', partly)]))['services TCP 10.96.0.50:80']).toHaveLength(3);
    const nodes = [
      ready('10.244.1.2', { hints: { forNodes: [{ name: 'n2' }] } }),
      ready('10.244.2.2', { hints: { forNodes: [{ name: 'n1' }] } }),
    ];
    expect(listeners(state([web], [slice('web', nodes)]))).toEqual({ 'services TCP 10.96.0.50:80': ['10.244.2.2:8080'] });
  });
  it('leaves out endpoints of nodes that are not ready, as long as there are others', () => {
    const own = { node: { ...state([], []).node, lostNodes: ['n2'] } };
    const both = [ready('10.244.1.2', { nodeName: 'n1' }), ready('10.244.2.2', { nodeName: 'n2' })];
    const at = (endpoints: readonly SliceEndpoint[]) =>
      listeners(state([service('web', { ports: http })], [slice('web', endpoints)], own))['services TCP 10.96.0.50:80'];
    expect(at(both)).toEqual(['10.244.1.2:8080']);
    expect(at(both.slice(1))).toEqual(['10.244.2.2:8080']);
  });
  it('carries session affinity with its time', () => {
    const groups = (spec: Service['spec']) =>
      render(state([service('web', { ports: http, ...spec })], [slice('web', [ready('10.244.1.2')])])).table.groups;
    expect(groups({ sessionAffinity: 'ClientIP' })['ns/web:http/TCP/IPv4/cluster']?.affinitySeconds).toBe(10_800);
    const seconds = groups({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 7 } } });
    expect(seconds['ns/web:http/TCP/IPv4/cluster']?.affinitySeconds).toBe(7);
    expect(groups({ sessionAffinity: 'None' })['ns/web:http/TCP/IPv4/cluster']?.affinitySeconds).toBeUndefined();
  });
});

describe('from outside', () => {
  const slices = [slice('web', [ready('10.244.1.2', { nodeName: 'n1' }), ready('10.244.2.2', { nodeName: 'n2' })])];
  it('is bound at the host before there is an endpoint, so that it opens at once', () => {
    const ports = [{ name: 'http', port: 80, nodePort: 30_080 }];
    const web = service('web', { type: 'NodePort', ports });
    const at = 'host TCP 0.0.0.0:30080';
    const before = render(state([web], [])).table;
    expect(before.frontends[at]).toMatchObject({ isClosed: true });
    expect(listeners(state([web], []))).toEqual({ [at]: [] });
    const { table } = render(state([web], [slice('web', [ready('10.244.1.2')])]));
    expect(table.frontends[at]).not.toHaveProperty('isClosed');
    const udp = service('web', { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30_080, protocol: 'UDP' }] });
    expect(listeners(state([udp], []))).toEqual({});
  });
  it('node ports are opened in the host, for UDP on each address', () => {
    const ports = [{ name: 'http', port: 80, nodePort: 30_080 }];
    expect(Object.keys(listeners(state([service('web', { type: 'NodePort', ports })], slices)))).toEqual([
      'services TCP 10.96.0.50:80',
      'host TCP 0.0.0.0:30080',
    ]);
    const udp = [{ name: 'http', port: 80, nodePort: 30_080, protocol: 'UDP' }];
    const target = [slice('web', [ready('10.244.1.2')], [{ name: 'http', port: 53, protocol: 'UDP' }])];
    expect(Object.keys(listeners(state([service('web', { type: 'NodePort', ports: udp })], target)))).toEqual([
      'services UDP 10.96.0.50:80',
      'host UDP 127.0.0.1:30080',
      'host UDP 192.168.1.5:30080',
    ]);
  });
  it('node ports are opened only at the addresses that are wanted', () => {
    const web = service('web', { type: 'NodePort', externalTrafficPolicy: 'Local', ports: [{ name: 'http', port: 80, nodePort: 30_080 }] });
    const s = state([web], [slice('web', [ready('10.244.1.2', { nodeName: 'n1' })])]);
    for (const nodePortAddresses of ['primary', ['192.168.0.0/16']] as const) {
      const { table, host } = createRenderer({ ...config, nodePortAddresses }).render(s, undefined);
      expect(Object.keys(table.frontends).filter((k) => k.startsWith('host'))).toEqual(['host TCP 192.168.1.5:30080']);
      expect(host.rules.prerouting).toEqual([expect.stringContaining('-d 192.168.1.5/32')]);
    }
  });
  it("other nodes' addresses are never taken from them, even by Services that name them", () => {
    const status = {
      loadBalancer: {
        ingress: [
          { ip: '192.168.1.5', ipMode: 'Proxy' },
          { ip: '192.168.1.6', ipMode: 'VIP' },
        ],
      },
    };
    const web = service('web', { type: 'LoadBalancer', externalIPs: ['192.168.1.6'], ports: http }, { status });
    const s = state([web], [slice('web', [ready('10.244.1.2')])]);
    expect(render(s).host.extraAddresses).toEqual([]);
    expect(Object.keys(listeners(s))).toEqual(['services TCP 10.96.0.50:80', 'host TCP 192.168.1.5:80', 'host TCP 127.0.0.1:80']);
  });
  it("addresses of load balancers lead into the services namespace, unless they are the host's own", () => {
    const spec = { type: 'LoadBalancer', ports: [{ name: 'http', port: 80 }], loadBalancerSourceRanges: ['10.0.0.0/8'] };
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.7' }, { ip: '192.168.1.5' }, { ip: '203.0.113.8', ipMode: 'Proxy' }] } };
    const rendered = render(state([service('web', spec, { status })], slices));
    expect(rendered.table.frontends['services TCP 203.0.113.7:80']?.sourceRanges).toEqual(['10.0.0.0/8']);
    expect(rendered.table.frontends['services TCP 10.96.0.50:80']?.sourceRanges).toBeUndefined();
    expect(rendered.table.frontends['host TCP 192.168.1.5:80']).toBeDefined();
    expect(rendered.table.frontends['host TCP 127.0.0.1:80']).toBeDefined();
    expect(rendered.host.extraAddresses).toEqual(['203.0.113.7']);
  });
  it('are looked at again when a node says that one of them is its own, and are left to it then, rules and all', () => {
    const spec = { type: 'NodePort', externalTrafficPolicy: 'Local', externalIPs: ['203.0.113.7'], ports: [{ name: 'http', port: 80 }] };
    const renderer = createRenderer(config);
    const s = state([service('web', spec)], slices);
    const before = renderer.render(s, undefined).host;
    expect([before.extraAddresses, before.rules.prerouting.length]).toEqual([['203.0.113.7'], 1]);
    const { extraAddresses, rules } = renderer.render({ ...s, nodeAddresses: new Set(['192.168.1.5', '203.0.113.7']) }, new Set()).host;
    expect([extraAddresses, rules.prerouting, rules.refusals]).toEqual([[], [], []]);
  });
  it('with externalTrafficPolicy Local it is known where the kernel leads datagrams, so that it can be made to forget', () => {
    const ports = [{ name: 'dns', port: 53, nodePort: 30_053, protocol: 'UDP' }];
    const web = service('web', { type: 'NodePort', externalTrafficPolicy: 'Local', externalIPs: ['203.0.113.7'], ports });
    const target = slice('web', [ready('10.244.1.2', { nodeName: 'n1' })], [{ name: 'dns', port: 53, protocol: 'UDP' }]);
    expect(render(state([web], [target])).host.rules.udpTargets).toEqual([
      { address: undefined, port: 30_053, endpoint: '10.244.1.2' },
      { address: '203.0.113.7', port: 53, endpoint: '10.244.1.2' },
    ]);
  });
  it('with externalTrafficPolicy Local the kernel leads to local endpoints and the health check counts them', () => {
    const spec = {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 31_000,
      ports: [{ name: 'http', port: 80, nodePort: 30_080 }],
    };
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } };
    const local = render(state([service('web', spec, { status })], slices));
    expect(local.host.rules.prerouting).toEqual([
      '! -s 10.244.1.0/24 -m addrtype ! --src-type LOCAL --dst-type LOCAL -p tcp --dport 30080 -j DNAT --to-destination 10.244.1.2:8080',
      '-d 203.0.113.7/32 ! -s 10.244.1.0/24 -m addrtype ! --src-type LOCAL -p tcp --dport 80 -j DNAT --to-destination 10.244.1.2:8080',
    ]);
    expect(local.healthChecks).toEqual([{ service: 'ns/web', port: 31_000, localEndpoints: 1 }]);
    const away = render(state([service('web', spec, { status })], [slice('web', [ready('10.244.2.2', { nodeName: 'n2' })])]));
    expect(away.host.rules.prerouting).toEqual([]);
    // Only what is new: packets of open connections carry the same address and port.
    expect(away.host.rules.refusals).toEqual([
      '! -s 10.244.1.0/24 -m addrtype ! --src-type LOCAL --dst-type LOCAL -p tcp --dport 30080 -m conntrack --ctstate NEW -j DROP',
      '-d 203.0.113.7/32 ! -s 10.244.1.0/24 -m addrtype ! --src-type LOCAL -p tcp --dport 80 -m conntrack --ctstate NEW -j DROP',
    ]);
    expect(away.healthChecks).toEqual([{ service: 'ns/web', port: 31_000, localEndpoints: 0 }]);
  });
  it('with externalTrafficPolicy Local and source ranges others are dropped at the addresses of the load balancer, and only there', () => {
    const refusals = (loadBalancerSourceRanges: string[], endpoint: SliceEndpoint) => {
      const spec = {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        loadBalancerSourceRanges,
        externalIPs: ['203.0.113.9'],
        ports: [{ name: 'http', port: 80, nodePort: 30_080 }],
      };
      const status = { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } };
      return render(state([service('web', spec, { status })], [slice('web', [endpoint])])).host.rules.refusals;
    };
    const here = ready('10.244.1.2', { nodeName: 'n1' });
    const others =
      '-d 203.0.113.7/32 ! -s 10.244.1.0/24 -m addrtype ! --src-type LOCAL -p tcp --dport 80 -m conntrack --ctstate NEW -j DROP';
    expect(refusals(['192.0.2.0/24', ' 10.0.0.0/8 ', '2001:db8::/32'], here)).toEqual([
      '-s 192.0.2.0/24 -d 203.0.113.7/32 -p tcp --dport 80 -j RETURN',
      '-s 10.0.0.0/8 -d 203.0.113.7/32 -p tcp --dport 80 -j RETURN',
      others,
    ]);
    expect(refusals(['2001:db8::/32'], here)).toEqual([others]);
    expect(refusals([], here)).toEqual([]);
    // Nobody is let through to where there is no endpoint.
    const away = refusals(['192.0.2.0/24'], ready('10.244.2.2', { nodeName: 'n2' }));
    expect(away).toHaveLength(3);
    for (const rule of away) expect(rule).toMatch(/-j DROP$/);
  });
  it('the health check does not count endpoints that end, which still serve', () => {
    const web = service('web', {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      healthCheckNodePort: 31_000,
      ports: [{ name: 'http', port: 80, nodePort: 30_080 }],
    });
    const { host, healthChecks } = render(state([web], [slice('web', [{ ...stopping('10.244.1.2', true), nodeName: 'n1' }])]));
    expect(healthChecks).toEqual([{ service: 'ns/web', port: 31_000, localEndpoints: 0 }]);
    expect(host.rules.prerouting[0]).toContain('DNAT --to-destination 10.244.1.2:8080');
  });
  it('SCTP is left to the kernel', () => {
    const ports = [{ name: 'http', port: 80, protocol: 'SCTP' }];
    const target = [slice('web', [ready('10.244.1.2'), ready('10.244.1.3')], [{ name: 'http', port: 9999, protocol: 'SCTP' }])];
    const rendered = render(state([service('web', { ports })], target));
    expect(rendered.host.rules.prerouting).toEqual([
      '-d 10.96.0.50/32 -p sctp --dport 80 -m statistic --mode random --probability 0.5000000000 -j DNAT --to-destination 10.244.1.2:9999',
      '-d 10.96.0.50/32 -p sctp --dport 80 -j DNAT --to-destination 10.244.1.3:9999',
    ]);
  });
});

describe('the whole', () => {
  it('answers DNS at its address, unless a Service there has endpoints of its own', () => {
    const dns = service('kube-dns', { clusterIP: '10.96.0.10', ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] });
    expect(render(state([dns], [])).table.frontends['services UDP 10.96.0.10:53']?.group).toBe('dns/UDP');
    const own = [slice('kube-dns', [ready('10.244.1.2')], [{ name: 'dns', port: 53, protocol: 'UDP' }])];
    expect(render(state([dns], own)).table.frontends['services UDP 10.96.0.10:53']?.group).toBe('ns/kube-dns:dns/UDP/IPv4/cluster');
  });
  it('gives a contested address to the older Service', () => {
    const spec = { ports: http, externalIPs: ['203.0.113.9'] };
    const young = {
      ...service('a', { ...spec, clusterIP: '10.96.0.1' }),
      metadata: { name: 'a', namespace: 'ns', creationTimestamp: '2026-02-01T00:00:00Z' },
    };
    const old = service('b', { ...spec, clusterIP: '10.96.0.2' });
    const rendered = render(state([young, old], [slice('a', [ready('10.244.1.2')]), slice('b', [ready('10.244.1.3')])]));
    expect(rendered.table.frontends['services TCP 203.0.113.9:80']?.group).toContain('ns/b:');
  });
  it('computes again only what changed, with the same result, and the difference is small', () => {
    const renderer = createRenderer(config);
    const services = [service('web', { ports: http }), service('other', { ports: http, clusterIP: '10.96.0.51' })];
    const before = state(services, [slice('web', [ready('10.244.1.2')]), slice('other', [ready('10.244.1.3')])]);
    const first = renderer.render(before, undefined);
    const after = state(services, [slice('web', [ready('10.244.1.7')]), slice('other', [ready('10.244.1.3')])]);
    const second = renderer.render(after, new Set(['ns/web']));
    expect(second).toEqual(render(after));
    const delta = diffTables(first.table, second.table);
    expect(delta).toEqual({
      groups: { 'ns/web:http/TCP/IPv4/cluster': { endpoints: [{ address: '10.244.1.7', port: 8080 }] } },
      frontends: {},
    });
    if (delta !== undefined) expect(applyDelta(first.table, delta)).toEqual(second.table);
    const gone = renderer.render(state(services.slice(1), [slice('other', [ready('10.244.1.3')])]), new Set(['ns/web']));
    const removal = diffTables(second.table, gone.table);
    expect(removal?.frontends).toEqual({ 'services TCP 10.96.0.50:80': null });
    if (removal !== undefined) expect(applyDelta(second.table, removal)).toEqual(gone.table);
    expect(diffTables(gone.table, gone.table)).toBeUndefined();
  });
});
