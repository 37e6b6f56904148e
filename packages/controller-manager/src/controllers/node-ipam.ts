import { node as nodes, type Node } from '@skiff/api';
import { keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, primary } from '@skiff/client';
import type { ControllerManagerConfig } from '../config.ts';
import type { ControllerDescriptor } from '../descriptor.ts';
import { checkMaskSizes, createCidrAllocator } from '../node-ipam/cidr-allocator.ts';
import { formatCidr, overlaps, parseCidr, type Cidr } from '../node-ipam/cidr-set.ts';

type NodeView = DeepReadonly<Node>;

const cidrsOf = (node: NodeView): readonly Cidr[] =>
  (node.spec?.podCIDRs?.length ? node.spec.podCIDRs : node.spec?.podCIDR ? [node.spec.podCIDR] : []).map(parseCidr);

/** The older node keeps a range that two have; of two of one second the name decides. */
const isOlder = (a: NodeView, b: NodeView): boolean => ageOf(a) < ageOf(b);
const ageOf = (n: NodeView): string => `${n.metadata?.creationTimestamp ?? ''} ${n.metadata?.name ?? ''}`;

const maskSizeOf =
  (config: ControllerManagerConfig) =>
  (cluster: Cidr): number =>
    cluster.bits === 32 ? config.nodeCidrMaskSizeIpv4 : config.nodeCidrMaskSizeIpv6;

/** Gives each node its part of the cluster's pod addresses. What nodes have already is taken as it is. */
export const nodeIpamController: ControllerDescriptor = {
  name: 'node-ipam-controller',
  eventComponent: 'cidrAllocator',
  missing: (config) =>
    !config.allocateNodeCidrs
      ? '--allocate-node-cidrs'
      : config.clusterCidrs.length === 0
        ? '--cluster-cidr'
        : checkMaskSizes(config.clusterCidrs.map(parseCidr), maskSizeOf(config)),
  define: (config) => {
    const services = config.serviceClusterIpRanges.map(parseCidr);
    return defineController({
      name: 'node-ipam-controller',
      // One at a time: what one node got must be known before the next gets its.
      concurrency: 1,
      sources: [primary(nodes, { changed: (a, b) => (a.spec?.podCIDRs ?? []).length !== (b.spec?.podCIDRs ?? []).length })],
      create: ({ informers, events, enqueue }) => {
        const informer = informers.informer(nodes);
        const allocator = createCidrAllocator({ clusters: config.clusterCidrs.map(parseCidr), maskSize: maskSizeOf(config) });
        /** Of each node that is known, also what was given and is perhaps not yet in the cache. */
        const given = new Map<string, readonly Cidr[]>();
        const full = new Set<string>();
        const complained = new Set<string>();

        /** Two nodes with one range can't be mended by anybody but an administrator: it can't be changed. */
        const complain = (node: NodeView, own: readonly Cidr[]): void => {
          const uid = node.metadata?.uid ?? '';
          if (complained.has(uid)) return;
          const other = informer
            .list()
            .find((n) => n.metadata?.uid !== uid && isOlder(n, node) && cidrsOf(n).some((c) => own.some((o) => overlaps(c, o))));
          if (other === undefined) return;
          complained.add(uid);
          events.event(
            node,
            'Warning',
            'CIDRConflict',
            `pod CIDR ${own.map(formatCidr).join()} overlaps with that of node ${other.metadata?.name ?? ''}; delete this Node so that it gets another`,
          );
        };

        return async (key, { client, signal, log }) => {
          const node = informer.get(key);
          if (node === undefined) {
            const had = given.get(key.name);
            if (had !== undefined) allocator.release(key.name, had);
            given.delete(key.name);
            // Room has come back.
            for (const name of full) enqueue(name);
            full.clear();
            return;
          }
          const own = cidrsOf(node);
          if (own.length > 0) {
            given.set(key.name, own);
            complain(node, own);
            return;
          }
          if (node.metadata?.deletionTimestamp !== undefined) return;
          const others = informer.list().filter((n) => n.metadata?.name !== key.name);
          const taken = [
            ...services,
            ...others.flatMap(cidrsOf),
            ...[...given].filter(([name]) => name !== key.name && informer.get({ name }) !== undefined).flatMap(([, c]) => c),
          ];
          // A Node that was made anew before its end was seen here.
          const before = given.get(key.name);
          if (before !== undefined) allocator.release(key.name, before);
          const cidrs = allocator.allocate(key.name, taken);
          if (cidrs === undefined) {
            full.add(keyOf(node));
            events.event(node, 'Normal', 'CIDRNotAvailable', `Node ${key.name} status is now: CIDRNotAvailable`);
            log.warn({ clusterCidrs: config.clusterCidrs, nodes: others.length }, 'no pod addresses are left for a node');
            return;
          }
          given.set(key.name, cidrs);
          const podCIDRs = cidrs.map(formatCidr);
          await client.patch(
            nodes,
            key,
            { type: 'merge', body: { metadata: { uid: node.metadata?.uid }, spec: { podCIDR: podCIDRs[0], podCIDRs } } },
            { signal },
          );
          log.info({ podCIDRs }, 'node got its pod addresses');
        };
      },
    });
  },
};
