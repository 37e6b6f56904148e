import { networkInterfaces } from 'node:os';
import { endpointSlice, node, pod, service, serviceCIDR, type EndpointSlice, type Node, type Pod, type Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Informer, InformerFactory } from '@skiff/client';
import type { ZoneSource } from './dns/zone.ts';
import { namespacedName, serviceNameLabel, type NodeView } from './table/state.ts';

const zoneLabel = 'topology.kubernetes.io/zone';

/** What happened since the last look; `all`: something that every Service depends on. */
export interface Changes {
  readonly services: ReadonlySet<string>;
  readonly all: boolean;
}

/** The informers of the proxy, seen as what table and DNS are made from. */
export interface InformedState {
  readonly zone: ZoneSource;
  readonly services: readonly DeepReadonly<Service>[];
  slicesOf(service: string): readonly DeepReadonly<EndpointSlice>[];
  readonly hostPortPods: readonly DeepReadonly<Pod>[];
  readonly node: NodeView;
  readonly serviceCidrs: readonly string[];
  /** Services, slices and the node have been listed once. */
  readonly isSynced: boolean;
  readonly synced: Promise<unknown>;
  /** Marks everything as changed: the host's addresses did. */
  touch(): void;
  takeChanges(): Changes;
}

const hasHostPort = (p: DeepReadonly<Pod>): boolean =>
  [...(p.spec?.containers ?? []), ...(p.spec?.initContainers ?? [])].some(
    (c) => c.ports?.some((port) => (port.hostPort ?? 0) > 0) === true,
  );

/** `onChange` is called for each event that matters, synchronously. */
export function createInformedState(
  config: { nodeName: string; clusterCidr: string; serviceCidrs: readonly string[] },
  informers: InformerFactory,
  onChange: () => void,
): InformedState {
  const services: Informer<Service> = informers.informer(service);
  const slices: Informer<EndpointSlice> = informers.informer(endpointSlice);
  const own = { fieldSelector: `metadata.name=${config.nodeName}` };
  const nodes: Informer<Node> = informers.informer(node, own);
  const pods: Informer<Pod> = informers.informer(pod, { fieldSelector: `spec.nodeName=${config.nodeName}` });
  const cidrs = informers.informer(serviceCIDR);

  const ownerOf = (s: DeepReadonly<EndpointSlice>): string | undefined => {
    const name = s.metadata?.labels?.[serviceNameLabel];
    return name === undefined ? undefined : `${s.metadata?.namespace ?? ''}/${name}`;
  };
  slices.addIndex('service', (s) => [ownerOf(s) ?? ''].filter((k) => k !== ''));
  slices.addIndex('address', (s) => s.endpoints?.flatMap((e) => e.addresses) ?? []);
  services.addIndex('address', (s) => (s.spec?.clusterIPs ?? [s.spec?.clusterIP ?? '']).filter((ip) => ip !== '' && ip !== 'None'));

  let changed = new Set<string>();
  let all = true;
  const mark = (key: string | undefined): void => {
    if (key === undefined) return;
    changed.add(key);
    onChange();
  };
  const markAll = (): void => {
    all = true;
    onChange();
  };
  services.subscribe({
    onAdd: (s) => mark(namespacedName(s)),
    onUpdate: (s) => mark(namespacedName(s)),
    onDelete: (s) => mark(namespacedName(s)),
  });
  slices.subscribe({
    onAdd: (s) => mark(ownerOf(s)),
    onUpdate: (s, old) => {
      mark(ownerOf(s));
      if (ownerOf(old) !== ownerOf(s)) mark(ownerOf(old));
    },
    onDelete: (s) => mark(ownerOf(s)),
  });
  const markPod = (p: DeepReadonly<Pod>): void => {
    if (hasHostPort(p)) onChange();
  };
  pods.subscribe({ onAdd: markPod, onUpdate: markPod, onDelete: markPod });
  cidrs.subscribe({ onAdd: onChange, onUpdate: onChange, onDelete: onChange });

  function nodeView(): NodeView {
    const object = nodes.list()[0];
    const podCidrs = object?.spec?.podCIDRs ?? (object?.spec?.podCIDR === undefined ? [] : [object.spec.podCIDR]);
    return {
      name: config.nodeName,
      zone: object?.metadata?.labels?.[zoneLabel],
      // A node without a range of its own has all pods: there is no other node then.
      podCidrs: podCidrs.length > 0 ? podCidrs : [config.clusterCidr],
      internalAddresses: (object?.status?.addresses ?? []).flatMap((a) => (a.type === 'InternalIP' ? [a.address] : [])),
    };
  }
  let view = nodeView();
  const onNode = (): void => {
    const next = nodeView();
    if (JSON.stringify(next) === JSON.stringify(view)) return;
    view = next;
    markAll();
  };
  nodes.subscribe({ onAdd: onNode, onUpdate: onNode });

  return {
    zone: {
      service: (namespace, name) => services.get({ namespace, name }),
      slicesOf: (namespace, name) => slices.byIndex('service', `${namespace}/${name}`),
      hasNamespace: (namespace) => namespace === 'default' || services.list(namespace).length > 0,
      servicesByAddress: (address) => services.byIndex('address', address),
      slicesByAddress: (address) => slices.byIndex('address', address),
    },
    get services() {
      return services.list();
    },
    slicesOf: (key) => slices.byIndex('service', key),
    get hostPortPods() {
      return pods.list().filter(hasHostPort);
    },
    get node() {
      return view;
    },
    get serviceCidrs() {
      const more = cidrs.list().flatMap((c) => c.spec?.cidrs ?? []);
      return [...new Set([...config.serviceCidrs, ...more])].filter((c) => !c.includes(':'));
    },
    get isSynced() {
      return services.hasSynced && slices.hasSynced && nodes.hasSynced;
    },
    synced: Promise.all([services.synced, slices.synced, nodes.synced]),
    touch: markAll,
    takeChanges: () => {
      const result = { services: changed, all };
      changed = new Set();
      all = false;
      return result;
    },
  };
}

/** Addresses under which the host can be reached: those of its interfaces, without what Skiff and link-local addressing put there. */
export function hostAddresses(interfaces = networkInterfaces()): readonly string[] {
  const result: string[] = [];
  for (const [name, addresses] of Object.entries(interfaces)) {
    if (name.startsWith('sk')) continue;
    for (const a of addresses ?? []) if (!a.address.startsWith('169.254.') && !a.address.startsWith('fe80:')) result.push(a.address);
  }
  return [...new Set(result)].sort();
}
