import type { NatRules, UdpTarget } from '../host/plan.ts';
import type { NodePortAddresses } from './node-port-addresses.ts';
import { renderService, type RenderContext, type RenderedService } from './render-service.ts';
import { namespacedName, type DnsPlace, type ProxyState } from './state.ts';
import { frontendKey, type BackendGroup, type DataTable, type Frontend, type TableSettings } from './types.ts';

/** Everything that follows from the state: for proxy-data, for the host's rules, for the health check ports. */
export interface Rendered {
  readonly table: DataTable;
  readonly host: { readonly extraAddresses: readonly string[]; readonly rules: NatRules };
  readonly healthChecks: readonly { readonly service: string; readonly port: number; readonly localEndpoints: number }[];
}

export interface RenderConfig {
  readonly clusterCidr: string;
  readonly shadowCidr: string;
  readonly nodePortAddresses: NodePortAddresses;
}

/** The built-in DNS server: one address, three ports; a Service with endpoints of its own at that address goes before it. */
function renderDns(dns: DnsPlace): { groups: Record<string, BackendGroup>; frontends: Frontend[] } {
  const place = 'services';
  const { address } = dns;
  const groups: Record<string, BackendGroup> = {
    'dns/UDP': { endpoints: [], relaySocket: dns.relaySocket },
    'dns/TCP': { endpoints: [dns.tcp] },
  };
  const frontends: Frontend[] = [
    { place, protocol: 'UDP', address, port: 53, group: 'dns/UDP' },
    { place, protocol: 'TCP', address, port: 53, group: 'dns/TCP' },
  ];
  if (dns.metrics !== undefined) {
    groups['dns/metrics'] = { endpoints: [dns.metrics] };
    frontends.push({ place, protocol: 'TCP', address, port: 9153, group: 'dns/metrics' });
  }
  return { groups, frontends };
}

/** A port at which other nodes see that connections are carried here: accepted and reset, since no endpoint is behind it. */
const renderLiveness = (at: ProxyState['liveness']): { groups: Record<string, BackendGroup>; frontends: Frontend[] } =>
  at === undefined
    ? { groups: {}, frontends: [] }
    : { groups: { liveness: { endpoints: [] } }, frontends: [{ place: 'host', protocol: 'TCP', ...at, group: 'liveness' }] };

/** Puts the parts together. Where two Services claim one address and port, the first one in the list has it. */
export function assemble(
  parts: Iterable<readonly [service: string, rendered: RenderedService]>,
  rest: { settings: TableSettings; dns: DnsPlace; liveness: ProxyState['liveness'] },
): Rendered {
  const groups: Record<string, BackendGroup> = {};
  const frontends: Record<string, Frontend> = {};
  const extraAddresses = new Set<string>();
  const rules = { prerouting: [] as string[], output: [] as string[], refusals: [] as string[], udpTargets: [] as UdpTarget[] };
  const healthChecks: { service: string; port: number; localEndpoints: number }[] = [];
  const claim = (f: Frontend): void => {
    frontends[frontendKey(f)] ??= f;
  };
  for (const [service, part] of parts) {
    Object.assign(groups, part.groups);
    for (const f of part.frontends) claim(f);
    for (const address of part.extraAddresses) extraAddresses.add(address);
    rules.prerouting.push(...part.prerouting);
    rules.output.push(...part.output);
    rules.refusals.push(...part.refusals);
    rules.udpTargets.push(...part.udpTargets);
    if (part.healthCheck !== undefined) healthChecks.push({ service, ...part.healthCheck });
  }
  const dns = renderDns(rest.dns);
  for (const more of [dns, renderLiveness(rest.liveness)]) {
    Object.assign(groups, more.groups);
    for (const f of more.frontends) claim(f);
  }
  return {
    table: { settings: rest.settings, groups, frontends },
    host: { extraAddresses: [...extraAddresses].sort(), rules },
    healthChecks,
  };
}

/**
 * From the informers' state to everything that is to be done about it. Keeps what it computed for each Service and computes
 * again only what `changed` says; the result is the same as from scratch.
 */
export function createRenderer(config: RenderConfig): {
  /** `changed`: Services as `namespace/name`; undefined: all of them (the node or the host changed). */
  render(state: ProxyState, changed: ReadonlySet<string> | undefined): Rendered;
} {
  let known = new Map<string, RenderedService>();
  let knownFor = '';
  return {
    render: (state, changed) => {
      // Whose an address is counts for every Service.
      const addresses = [...[...state.nodeAddresses].sort(), '', ...state.hostAddresses].join(' ');
      if (addresses !== knownFor) changed = undefined;
      knownFor = addresses;
      const context: RenderContext = {
        node: state.node,
        hostAddresses: state.hostAddresses,
        nodeAddresses: state.nodeAddresses,
        nodePortAddresses: config.nodePortAddresses,
      };
      const next = new Map<string, RenderedService>();
      const ordered = state.services.toSorted(byAge);
      for (const service of ordered) {
        const key = namespacedName(service);
        const old = changed === undefined || changed.has(key) ? undefined : known.get(key);
        next.set(key, old ?? renderService(service, state.slicesOf(key), context));
      }
      known = next;
      const settings = {
        localPodCidrs: state.node.podCidrs.filter((c) => !c.includes(':')),
        clusterCidr: config.clusterCidr,
        shadowCidr: config.shadowCidr,
      };
      return assemble(next, { settings, dns: state.dns, liveness: state.liveness });
    },
  };
}

type Aged = { readonly metadata?: { readonly creationTimestamp?: string | null; readonly namespace?: string; readonly name?: string } };
function byAge(a: Aged, b: Aged): number {
  const [x, y] = [a.metadata?.creationTimestamp ?? '', b.metadata?.creationTimestamp ?? ''];
  if (x !== y) return x < y ? -1 : 1;
  return namespacedName(a as never) < namespacedName(b as never) ? -1 : 1;
}
