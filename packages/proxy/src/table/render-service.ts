import { isIP } from 'node:net';
import type { EndpointSlice, Service, ServicePort } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { UdpTarget } from '../host/plan.ts';
import { collectCandidates, selectEndpoints, type Selection } from './endpoints.ts';
import { renderLocalPort, renderSctp } from './nat-rules.ts';
import { exactNodePortAddresses, nodePortListeners, type NodePortAddresses } from './node-port-addresses.ts';
import { headlessLabel, namespacedName, serviceProxyNameLabel, type NodeView } from './state.ts';
import type { BackendGroup, Endpoint, Frontend, Protocol } from './types.ts';

/** What one Service adds to the table and to the host. */
export interface RenderedService {
  readonly groups: Readonly<Record<string, BackendGroup>>;
  readonly frontends: readonly Frontend[];
  /** Addresses outside the Service ranges that this host answers for. */
  readonly extraAddresses: readonly string[];
  readonly prerouting: readonly string[];
  readonly output: readonly string[];
  readonly refusals: readonly string[];
  readonly udpTargets: readonly UdpTarget[];
  readonly healthCheck: { readonly port: number; readonly localEndpoints: number } | undefined;
}

export interface RenderContext {
  readonly node: NodeView;
  readonly hostAddresses: readonly string[];
  /** Addresses of all nodes. */
  readonly nodeAddresses: ReadonlySet<string>;
  readonly nodePortAddresses: NodePortAddresses;
}

const nothing: RenderedService = {
  groups: {},
  frontends: [],
  extraAddresses: [],
  prerouting: [],
  output: [],
  refusals: [],
  udpTargets: [],
  healthCheck: undefined,
};
const defaultAffinitySeconds = 10_800;

export const isServed = (service: DeepReadonly<Service>): boolean =>
  service.spec?.type !== 'ExternalName' &&
  service.spec?.clusterIP !== undefined &&
  service.spec.clusterIP !== '' &&
  service.spec.clusterIP !== 'None' &&
  [serviceProxyNameLabel, headlessLabel].every((label) => service.metadata?.labels?.[label] === undefined);

const clusterIPs = (service: DeepReadonly<Service>): readonly string[] => service.spec?.clusterIPs ?? [service.spec?.clusterIP ?? ''];
const familyOf = (address: string): 'IPv4' | 'IPv6' => (isIP(address) === 6 ? 'IPv6' : 'IPv4');

/** Addresses of load balancers that deliver packets unchanged (KEP-1860: ipMode VIP), and those that are this host's own. */
const loadBalancerAddresses = (service: DeepReadonly<Service>, hostAddresses: readonly string[]): readonly string[] =>
  service.spec?.type === 'LoadBalancer'
    ? (service.status?.loadBalancer?.ingress ?? []).flatMap((i) =>
        i.ip !== undefined && i.ip !== '' && (i.ipMode !== 'Proxy' || hostAddresses.includes(i.ip)) ? [i.ip] : [],
      )
    : [];

/** Pure. `slices` are those of this Service. */
export function renderService(
  service: DeepReadonly<Service>,
  slices: readonly DeepReadonly<EndpointSlice>[],
  context: RenderContext,
): RenderedService {
  if (!isServed(service)) return nothing;
  const parts: RenderedService[] = [];
  let localEndpoints = 0;
  for (const clusterIP of clusterIPs(service)) {
    const family = familyOf(clusterIP);
    for (const port of service.spec?.ports ?? []) {
      const protocol = port.protocol ?? 'TCP';
      const candidates = collectCandidates(slices, { name: port.name ?? '', protocol, family }, context.node);
      const selection = selectEndpoints(candidates, context.node);
      // Those that end still serve, but load balancers are to go elsewhere.
      localEndpoints = Math.max(localEndpoints, candidates.filter((c) => c.local && c.ready && !c.terminating).length);
      if (protocol === 'SCTP') parts.push({ ...nothing, ...renderSctp(clusterIP, port, selection.cluster) });
      else parts.push(renderPort({ service, port, protocol: protocol as Protocol, clusterIP, family, selection }, context));
    }
  }
  const healthPort = service.spec?.externalTrafficPolicy === 'Local' ? service.spec.healthCheckNodePort : undefined;
  return {
    groups: Object.assign({}, ...parts.map((p) => p.groups)) as Record<string, BackendGroup>,
    frontends: parts.flatMap((p) => p.frontends),
    extraAddresses: [...new Set(parts.flatMap((p) => p.extraAddresses))],
    prerouting: parts.flatMap((p) => p.prerouting),
    output: parts.flatMap((p) => p.output),
    refusals: parts.flatMap((p) => p.refusals),
    udpTargets: parts.flatMap((p) => p.udpTargets),
    healthCheck: healthPort === undefined || healthPort === 0 ? undefined : { port: healthPort, localEndpoints },
  };
}

interface PortInput {
  readonly service: DeepReadonly<Service>;
  readonly port: DeepReadonly<ServicePort>;
  readonly protocol: Protocol;
  readonly clusterIP: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly selection: Selection;
}

function renderPort(input: PortInput, context: RenderContext): RenderedService {
  const { service, port, protocol, clusterIP, family, selection } = input;
  const spec = service.spec ?? {};
  const affinitySeconds =
    spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? defaultAffinitySeconds) : undefined;
  const groupOf = (endpoints: readonly Endpoint[]): BackendGroup => ({
    endpoints,
    ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
  });
  const name = `${namespacedName(service)}:${port.name ?? ''}/${protocol}/${family}`;
  const groups: Record<string, BackendGroup> = {};
  const frontends: Frontend[] = [];
  const extraAddresses: string[] = [];

  const add = (policy: 'cluster' | 'local', frontend: Omit<Frontend, 'group' | 'protocol'>): void => {
    const endpoints = selection[policy];
    // A listener exists only while a usable endpoint does: nobody home is "connection refused".
    if (endpoints.length === 0) return;
    const group = `${name}/${policy}`;
    groups[group] ??= groupOf(endpoints);
    frontends.push({ ...frontend, protocol, group });
  };

  add(spec.internalTrafficPolicy === 'Local' ? 'local' : 'cluster', { place: 'services', address: clusterIP, port: port.port });

  const balanced = loadBalancerAddresses(service, context.hostAddresses);
  const ranges = (spec.loadBalancerSourceRanges?.length ?? 0) > 0 ? spec.loadBalancerSourceRanges : undefined;
  const outside = [...new Set([...(spec.externalIPs ?? []), ...balanced])]
    .filter((address) => familyOf(address) === family)
    .map((address) => ({ address, sourceRanges: balanced.includes(address) ? ranges : undefined }));
  for (const { address, sourceRanges } of outside) {
    const restricted = sourceRanges === undefined ? {} : { sourceRanges };
    // An address of this host itself is taken from the host; others are led into the services namespace.
    if (context.hostAddresses.includes(address)) {
      add('cluster', { place: 'host', address, port: port.port, ...restricted });
      // On a laptop, people type localhost.
      if (family === 'IPv4' && address !== '127.0.0.1')
        add('cluster', { place: 'host', address: '127.0.0.1', port: port.port, ...restricted });
    } else if (!context.nodeAddresses.has(address)) {
      // What is sent to another node goes there.
      add('cluster', { place: 'services', address, port: port.port, ...restricted });
      extraAddresses.push(address);
    }
  }

  const nodePort = port.nodePort ?? 0;
  if (nodePort > 0)
    for (const address of nodePortListeners(protocol, family, context)) {
      const frontend = { place: 'host', address, port: nodePort } as const;
      add('cluster', frontend);
      // Opening a port of the host takes a child process: it is bound before there is a pod, and then only listened on.
      if (protocol === 'TCP' && selection.cluster.length === 0)
        frontends.push({ ...frontend, protocol, group: `${name}/cluster`, isClosed: true });
    }

  const nat =
    spec.externalTrafficPolicy === 'Local' && family === 'IPv4'
      ? renderLocalPort({
          protocol,
          nodePort,
          nodePortAddresses: exactNodePortAddresses('IPv4', context),
          port: port.port,
          // What is sent to another node is that node's to translate.
          outside: outside.filter(({ address }) => context.hostAddresses.includes(address) || !context.nodeAddresses.has(address)),
          endpoints: selection.local,
          localPodCidr: context.node.podCidrs.find((c) => !c.includes(':')) ?? '',
        })
      : { prerouting: [], refusals: [], udpTargets: [] };
  return { ...nothing, groups, frontends, extraAddresses, ...nat };
}
