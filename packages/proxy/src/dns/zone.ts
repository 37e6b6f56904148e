import { isIP } from 'node:net';
import type { EndpointSlice, Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { addressOfReverseName, dashed, undashed } from './reverse-name.ts';

/** What the zone is answered from. */
export interface ZoneSource {
  service(namespace: string, name: string): DeepReadonly<Service> | undefined;
  slicesOf(namespace: string, service: string): readonly DeepReadonly<EndpointSlice>[];
  hasNamespace(namespace: string): boolean;
  servicesByAddress(address: string): readonly DeepReadonly<Service>[];
  slicesByAddress(address: string): readonly DeepReadonly<EndpointSlice>[];
}

export interface ZoneConfig {
  /** `cluster.local` */
  readonly domain: string;
  readonly dnsAddress: string;
  /** Reverse names of these addresses are ours alone. */
  readonly ownsAddress: (address: string) => boolean;
}

export type ZoneRecord =
  | { readonly type: 'SOA'; readonly name: string }
  | { readonly type: 'A' | 'AAAA' | 'PTR' | 'CNAME' | 'NS' | 'TXT'; readonly name: string; readonly data: string }
  | { readonly type: 'SRV'; readonly name: string; readonly data: { priority: number; weight: number; port: number; target: string } };

/**
 * `not-ours`: ask elsewhere. `found` without records: the name exists, not with this type (NODATA). A CNAME is to be followed
 * by the caller.
 */
export type ZoneAnswer =
  | { readonly kind: 'not-ours' }
  | { readonly kind: 'no-such-name' }
  | { readonly kind: 'found'; readonly records: readonly ZoneRecord[]; readonly additionals: readonly ZoneRecord[] };

const found = (records: readonly ZoneRecord[] = [], additionals: readonly ZoneRecord[] = []): ZoneAnswer => ({
  kind: 'found',
  records,
  additionals,
});
const noSuchName: ZoneAnswer = { kind: 'no-such-name' };

/** The DNS specification of Kubernetes (schema 1.1.0) over the informers' caches. Pure but for what `source` reads. */
export function createZone(config: ZoneConfig, source: ZoneSource): { answer(name: string, type: string): ZoneAnswer } {
  const suffix = `.${config.domain}`;
  const addressRecord = (name: string, address: string): ZoneRecord => ({ type: isIP(address) === 6 ? 'AAAA' : 'A', name, data: address });
  const ofType = (records: readonly ZoneRecord[], type: string): readonly ZoneRecord[] => records.filter((r) => r.type === type);

  interface NamedEndpoint {
    readonly address: string;
    readonly host: string;
    readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
  }
  /** Ready endpoints with the name that each has below its Service: its hostname, or its address with dashes. */
  function endpointsOf(namespace: string, name: string): readonly NamedEndpoint[] {
    return source.slicesOf(namespace, name).flatMap((slice) => {
      if (slice.addressType === 'FQDN') return [];
      const ports = (slice.ports ?? []).flatMap((p) =>
        p.port === undefined ? [] : [{ name: p.name ?? '', protocol: p.protocol ?? 'TCP', port: p.port }],
      );
      return (slice.endpoints ?? []).flatMap((e) =>
        e.conditions?.ready === false ? [] : e.addresses.map((address) => ({ address, host: e.hostname ?? dashed(address), ports })),
      );
    });
  }

  const isHeadless = (service: DeepReadonly<Service>): boolean => service.spec?.clusterIP === 'None';
  const serviceName = (service: DeepReadonly<Service>): string => `${service.metadata?.name}.${service.metadata?.namespace}.svc${suffix}`;
  const clusterIPs = (service: DeepReadonly<Service>): readonly string[] =>
    (service.spec?.clusterIPs ?? [service.spec?.clusterIP ?? '']).filter((ip) => isIP(ip) !== 0);

  function addresses(service: DeepReadonly<Service>, name: string): readonly ZoneRecord[] {
    const list = isHeadless(service)
      ? endpointsOf(service.metadata?.namespace ?? '', service.metadata?.name ?? '').map((e) => e.address)
      : clusterIPs(service);
    return [...new Set(list)].map((address) => addressRecord(name, address));
  }

  /** SRV records of all ports that `matches`, with the addresses of their targets. */
  function srv(service: DeepReadonly<Service>, name: string, matches: (port: string, protocol: string) => boolean): ZoneAnswer {
    const base = serviceName(service);
    const targets: { target: string; port: number; address: string }[] = [];
    if (isHeadless(service)) {
      for (const e of endpointsOf(service.metadata?.namespace ?? '', service.metadata?.name ?? '')) {
        for (const p of e.ports)
          if (matches(p.name, p.protocol)) targets.push({ target: `${e.host}.${base}`, port: p.port, address: e.address });
      }
    } else {
      for (const p of service.spec?.ports ?? []) {
        if (!matches(p.name ?? '', p.protocol ?? 'TCP')) continue;
        for (const address of clusterIPs(service)) targets.push({ target: base, port: p.port, address });
      }
    }
    const unique = new Map(targets.map((t) => [`${t.target} ${t.port}`, t]));
    const weight = Math.max(1, Math.floor(100 / Math.max(1, unique.size)));
    const records = [...unique.values()].map(
      (t): ZoneRecord => ({ type: 'SRV', name, data: { priority: 0, weight, port: t.port, target: t.target } }),
    );
    const extra = new Map(targets.map((t) => [`${t.target} ${t.address}`, addressRecord(t.target, t.address)]));
    return found(records, [...extra.values()]);
  }

  function service(labels: readonly string[], name: string, type: string): ZoneAnswer {
    const [serviceLabel = '', namespace = ''] = labels.slice(-2);
    if (labels.length === 0) return found();
    if (labels.length === 1) return source.hasNamespace(labels[0] ?? '') ? found() : noSuchName;
    const object = source.service(namespace, serviceLabel);
    if (object === undefined) return noSuchName;
    const rest = labels.slice(0, -2);
    if (object.spec?.type === 'ExternalName') {
      if (rest.length > 0) return noSuchName;
      const target = (object.spec.externalName ?? '').replace(/\.$/, '');
      return ['A', 'AAAA', 'CNAME', 'SRV', 'TXT'].includes(type) ? found([{ type: 'CNAME', name, data: target }]) : found();
    }
    if (rest.length === 0) {
      if (type === 'SRV') return srv(object, name, () => true);
      return found(ofType(addresses(object, name), type));
    }
    const [first = '', second = ''] = rest;
    if (first.startsWith('_') || second.startsWith('_')) return portRecords(object, rest, name, type);
    if (rest.length > 1 || !isHeadless(object)) return noSuchName;
    const hosts = endpointsOf(namespace, serviceLabel).filter((e) => e.host.toLowerCase() === first);
    if (hosts.length === 0) return noSuchName;
    return found(
      ofType(
        [...new Set(hosts.map((e) => e.address))].map((a) => addressRecord(name, a)),
        type,
      ),
    );
  }

  /** `_port._protocol` and, as a node on the way to it, `_protocol`. */
  function portRecords(object: DeepReadonly<Service>, labels: readonly string[], name: string, type: string): ZoneAnswer {
    const [protocol, port] = labels.toReversed().map((l) => l.slice(1));
    if (labels.length > 2 || labels.some((l) => !l.startsWith('_'))) return noSuchName;
    const answer = srv(object, name, (p, proto) => proto.toLowerCase() === protocol && (port === undefined || p.toLowerCase() === port));
    if (answer.kind !== 'found' || answer.records.length === 0) return noSuchName;
    return type === 'SRV' && port !== undefined ? answer : found();
  }

  function pod(labels: readonly string[], name: string, type: string): ZoneAnswer {
    if (labels.length === 0) return found();
    const namespace = labels.at(-1) ?? '';
    if (labels.length === 1) return source.hasNamespace(namespace) ? found() : noSuchName;
    // Any address that is written out is answered, whether or not a pod has it: what it says is in the name itself.
    const address = labels.length === 2 ? undashed(labels[0] ?? '') : undefined;
    return address === undefined ? noSuchName : found(ofType([addressRecord(name, address)], type));
  }

  function reverse(address: string, name: string, type: string): ZoneAnswer {
    const names = source
      .servicesByAddress(address)
      .filter((s) => clusterIPs(s).includes(address))
      .map(serviceName);
    if (names.length === 0) {
      for (const slice of source.slicesByAddress(address)) {
        const owner = slice.metadata?.labels?.['kubernetes.io/service-name'];
        const endpoint = slice.endpoints?.find((e) => e.addresses.includes(address) && e.conditions?.ready !== false);
        if (owner !== undefined && endpoint !== undefined) {
          names.push(`${endpoint.hostname ?? dashed(address)}.${owner}.${slice.metadata?.namespace}.svc${suffix}`);
        }
      }
    }
    if (names.length === 0) return config.ownsAddress(address) ? noSuchName : { kind: 'not-ours' };
    return type === 'PTR' ? found([...new Set(names)].map((data) => ({ type: 'PTR', name, data }))) : found();
  }

  return {
    answer: (asked, type) => {
      const name = asked.toLowerCase().replace(/\.$/, '');
      if (name.endsWith('.in-addr.arpa') || name.endsWith('.ip6.arpa')) {
        const address = addressOfReverseName(name);
        return address === undefined ? { kind: 'not-ours' } : reverse(address, asked, type);
      }
      if (name === config.domain) {
        if (type === 'SOA') return found([{ type: 'SOA', name: asked }]);
        return type === 'NS'
          ? found([{ type: 'NS', name: asked, data: `ns.dns${suffix}` }], [addressRecord(`ns.dns${suffix}`, config.dnsAddress)])
          : found();
      }
      if (!name.endsWith(suffix)) return { kind: 'not-ours' };
      const labels = name.slice(0, -suffix.length).split('.');
      switch (labels.at(-1)) {
        case 'svc':
          return service(labels.slice(0, -1), asked, type);
        case 'pod':
          return pod(labels.slice(0, -1), asked, type);
        case 'dns-version':
          return labels.length > 1 ? noSuchName : type === 'TXT' ? found([{ type: 'TXT', name: asked, data: '1.1.0' }]) : found();
        case 'dns':
          if (labels.length === 1) return found();
          return labels.length === 2 && labels[0] === 'ns' ? found(ofType([addressRecord(asked, config.dnsAddress)], type)) : noSuchName;
        default:
          return noSuchName;
      }
    },
  };
}
