import { node as nodes } from '@skiff/api';
import { keyOf } from '@skiff/apimachinery';
import { defineController, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { firstFree, formatCidr, parseCidr, type Cidr } from '../node-ipam/cidr-set.ts';

/** Gives each node its part of the cluster's pod addresses. */
export const nodeIpamController: ControllerDescriptor = {
  name: 'node-ipam-controller',
  eventComponent: 'cidrAllocator',
  missing: ({ allocateNodeCidrs, clusterCidrs }) =>
    !allocateNodeCidrs ? '--allocate-node-cidrs' : clusterCidrs.length === 0 ? '--cluster-cidr' : undefined,
  define: (config) => {
    const clusters = config.clusterCidrs.map(parseCidr);
    const services = config.serviceClusterIpRanges.map(parseCidr);
    return defineController({
      name: 'node-ipam-controller',
      // One at a time: what one node got must be known before the next gets its.
      concurrency: 1,
      sources: [primary(nodes, { changed: (a, b) => (a.spec?.podCIDRs ?? []).length !== (b.spec?.podCIDRs ?? []).length })],
      create: ({ informers, events, enqueue }) => {
        const informer = informers.informer(nodes);
        /** Given, but perhaps not yet in the cache. */
        const given = new Map<string, readonly Cidr[]>();
        const full = new Set<string>();
        return async (key, { client, signal, log }) => {
          const node = informer.get(key);
          if (node === undefined) {
            given.delete(key.name);
            // Room has come back.
            for (const name of full) enqueue(name);
            full.clear();
            return;
          }
          if (node.metadata?.deletionTimestamp !== undefined || (node.spec?.podCIDRs ?? []).length > 0 || node.spec?.podCIDR) {
            given.delete(key.name);
            return;
          }
          const others = informer.list().filter((n) => n.metadata?.name !== key.name);
          const taken = [
            ...services,
            ...others.flatMap((n) => (n.spec?.podCIDRs ?? (n.spec?.podCIDR ? [n.spec.podCIDR] : [])).map(parseCidr)),
            ...[...given].filter(([name]) => name !== key.name).flatMap(([, c]) => c),
          ];
          const parts = clusters.map((c) => firstFree(c, c.bits === 32 ? config.nodeCidrMaskSizeIpv4 : config.nodeCidrMaskSizeIpv6, taken));
          if (parts.some((p) => p === undefined)) {
            full.add(keyOf(node));
            events.event(node, 'Normal', 'CIDRNotAvailable', `Node ${key.name} status is now: CIDRNotAvailable`);
            return;
          }
          const cidrs = parts.filter((p) => p !== undefined);
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
