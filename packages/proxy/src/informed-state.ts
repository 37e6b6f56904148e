import { networkInterfaces } from 'node:os';
import { endpointSlice, ipAddress, node, service, serviceCIDR, type Node } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { InformerFactory } from '@skiff/client';
import { informedObjects, ownerOf, rememberedObjects, type ClusterObjects } from './cluster-objects.ts';
import type { Remembered } from './remembered.ts';
import { isLost, peerOf } from './table/peers.ts';
import { namespacedName, type NodeView } from './table/state.ts';

const zoneLabel = 'topology.kubernetes.io/zone';
/** IPAddress objects of the pool for load balancers, which the service controller makes. */
const poolSelector = 'ipaddress.kubernetes.io/managed-by=load-balancer.skiff.dev';

/** What happened since the last look; `all`: something that every Service depends on. */
export interface Changes {
  readonly services: ReadonlySet<string>;
  readonly all: boolean;
}

/** The cluster as the proxy knows it: from informers, or, before they have listed, as it was remembered. */
export interface InformedState {
  readonly objects: ClusterObjects;
  readonly node: NodeView;
  readonly serviceCidrs: readonly string[];
  /** Services, slices and the node have been listed once. */
  readonly isSynced: boolean;
  /** Something is known: from a list or from memory. */
  readonly isKnown: boolean;
  readonly synced: Promise<unknown>;
  /** Marks everything as changed: the host's addresses did. */
  touch(): void;
  takeChanges(): Changes;
}

function nodeView(objects: ClusterObjects, config: { nodeName: string; clusterCidr: string }): NodeView {
  const object = objects.node;
  const addressesOf = (n: DeepReadonly<Node> | undefined): string[] =>
    (n?.status?.addresses ?? []).flatMap((a) => (a.type === 'InternalIP' ? [a.address] : []));
  const internalAddresses = addressesOf(object);
  // Several nodes may be on one host, which this proxy serves alone: they have its address.
  const others = objects.nodes.filter(
    (n) => n.metadata?.name !== config.nodeName && addressesOf(n).some((a) => internalAddresses.includes(a)),
  );
  const podCidrs = [...(object === undefined ? [] : [object]), ...others].flatMap(
    (n) => n.spec?.podCIDRs ?? (n.spec?.podCIDR === undefined ? [] : [n.spec.podCIDR]),
  );
  return {
    name: config.nodeName,
    hostMates: others.map((n) => n.metadata?.name ?? ''),
    zone: object?.metadata?.labels?.[zoneLabel],
    // A node without a range of its own has all pods: there is no other node then.
    podCidrs: podCidrs.length > 0 ? podCidrs : [config.clusterCidr],
    lostNodes: objects.nodes.filter((n) => n.metadata?.name !== config.nodeName && isLost(n)).map((n) => n.metadata?.name ?? ''),
    internalAddresses,
  };
}

/** `onChange` is called for each event that matters, synchronously. */
export function createInformedState(
  config: { nodeName: string; clusterCidr: string; serviceCidrs: readonly string[]; remembered: Remembered | undefined },
  factory: InformerFactory,
  onChange: () => void,
): InformedState {
  const services = factory.informer(service);
  const slices = factory.informer(endpointSlice);
  const nodes = factory.informer(node);
  const poolAddresses = factory.informer(ipAddress, { labelSelector: poolSelector });
  const cidrs = factory.informer(serviceCIDR);
  const informed = informedObjects(config.nodeName, { services, slices, nodes, poolAddresses });
  const memory = config.remembered === undefined ? undefined : rememberedObjects(config.nodeName, config.remembered);
  const isSynced = (): boolean => services.hasSynced && slices.hasSynced && nodes.hasSynced && poolAddresses.hasSynced;
  const objects = (): ClusterObjects => (isSynced() || memory === undefined ? informed : memory);

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
  cidrs.subscribe({ onAdd: onChange, onUpdate: onChange, onDelete: onChange });

  let view = nodeView(objects(), config);
  const peers = (n: DeepReadonly<Node>): string => JSON.stringify(peerOf(n));
  const onNode = (object: DeepReadonly<Node>, old?: DeepReadonly<Node>): void => {
    const next = nodeView(objects(), config);
    if (JSON.stringify(next) !== JSON.stringify(view)) {
      view = next;
      markAll();
    } else if (old === undefined || peers(object) !== peers(old)) onChange();
  };
  nodes.subscribe({ onAdd: (n) => onNode(n), onUpdate: onNode, onDelete: (n) => onNode(n) });
  poolAddresses.subscribe({ onAdd: onChange, onUpdate: onChange, onDelete: onChange });

  return {
    get objects() {
      return objects();
    },
    get node() {
      return view;
    },
    get serviceCidrs() {
      const more = cidrs.list().flatMap((c) => c.spec?.cidrs ?? []);
      return [...new Set([...config.serviceCidrs, ...more])].filter((c) => !c.includes(':'));
    },
    get isSynced() {
      return isSynced();
    },
    get isKnown() {
      return isSynced() || memory !== undefined;
    },
    synced: Promise.all([services.synced, slices.synced, nodes.synced, poolAddresses.synced]),
    touch: () => {
      view = nodeView(objects(), config);
      markAll();
    },
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
