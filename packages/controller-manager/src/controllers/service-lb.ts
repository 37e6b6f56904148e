import { endpointSlice, ipAddress, node as nodes, service as services, type LoadBalancerIngress } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { defineController, mapped, primary, type EventRecorder, type ReconcileContext, type SourceContext } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { parseAddressPool } from '../load-balancer/address-pool.ts';
import { assignNodeAddresses, type Assignment, type Refusal } from '../load-balancer/node-addresses.ts';
import { assignPoolAddress, ownerOfAddress, poolSelector, releaseAddress } from '../load-balancer/pool-addresses.ts';
import {
  addressOfNode,
  cleanupFinalizer,
  hasCleanupFinalizer,
  nameOf,
  nodesWithEndpoints,
  servesLoadBalancers,
  wantsLoadBalancer,
  type ServiceView,
} from '../load-balancer/service-facts.ts';
import { semanticEqual } from '../semantic-equality.ts';
import { findCondition, setCondition, withoutCondition } from '../conditions.ts';
import { serviceNameLabel } from './endpoint-slice.ts';

/** On a Service of type LoadBalancer: why it has no address. Absent when it has one. */
const conditionType = 'LoadBalancerReady';

const loadBalancersOf = (c: SourceContext, accepts: (s: ServiceView) => boolean = () => true): readonly string[] =>
  c.informers
    .informer(services)
    .list()
    .filter((s) => wantsLoadBalancer(s) && accepts(s))
    .map(nameOf);

const lacksAddress = (s: ServiceView): boolean => (s.status?.loadBalancer?.ingress ?? []).length === 0;

/** Writes what the load balancer is now, and nothing if that is what stands there. */
async function writeStatus(
  service: ServiceView,
  wanted: { ingress: readonly LoadBalancerIngress[]; finalizer: boolean; refusal: Refusal | undefined },
  { client, signal }: ReconcileContext,
): Promise<boolean> {
  const { metadata, status } = service;
  const conditions = status?.conditions ?? [];
  const others = (metadata?.finalizers ?? []).filter((f) => f !== cleanupFinalizer);
  const finalizers = wanted.finalizer ? [...others, cleanupFinalizer] : others;
  const nextConditions =
    wanted.refusal === undefined
      ? withoutCondition(conditions, conditionType)
      : setCondition(conditions, {
          type: conditionType,
          status: 'False',
          reason: wanted.refusal.reason,
          message: wanted.refusal.message,
          lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
        });
  const same =
    semanticEqual(status?.loadBalancer?.ingress, wanted.ingress) &&
    semanticEqual(conditions, nextConditions) &&
    hasCleanupFinalizer(service) === wanted.finalizer;
  if (same) return false;
  const body = {
    metadata: { uid: metadata?.uid, resourceVersion: metadata?.resourceVersion, finalizers },
    status: { loadBalancer: { ingress: wanted.ingress.length === 0 ? null : wanted.ingress }, conditions: nextConditions },
  };
  try {
    await client.patch(
      services,
      { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' },
      { type: 'merge', subresource: 'status', body },
      { signal },
    );
  } catch (error) {
    // Gone after its finalizer went.
    if (!hasReason(error, 'NotFound')) throw error;
  }
  return true;
}

/**
 * Gives Services of type LoadBalancer their addresses: of the pool where there is one, and otherwise those of the nodes. Events and
 * the finalizer are those of upstream's service controller.
 */
export const serviceLoadBalancerController: ControllerDescriptor = {
  name: 'service-lb-controller',
  eventComponent: 'service-controller',
  define: (config) => {
    const pool = parseAddressPool(config.loadBalancerCidrs, [...config.serviceClusterIpRanges, ...config.clusterCidrs]);
    return defineController({
      name: 'service-lb-controller',
      // One at a time: who asks first is served first.
      concurrency: 1,
      sources: [
        primary(services),
        // What one gives up another may wait for.
        mapped(services, (s, c) => (s.spec?.type === 'LoadBalancer' ? loadBalancersOf(c, lacksAddress) : [])),
        mapped(ipAddress, (a, c) => [ownerOfAddress(a), ...loadBalancersOf(c, lacksAddress)], { options: { labelSelector: poolSelector } }),
        mapped(nodes, (_, c) => loadBalancersOf(c), {
          changed: (a, b) => servesLoadBalancers(a) !== servesLoadBalancers(b) || addressOfNode(a) !== addressOfNode(b),
        }),
        mapped(endpointSlice, (slice, c) => {
          const owner = `${slice.metadata?.namespace ?? ''}/${slice.metadata?.labels?.[serviceNameLabel] ?? ''}`;
          return loadBalancersOf(c, (s) => nameOf(s) === owner && s.spec?.externalTrafficPolicy === 'Local');
        }),
      ],
      create: ({ informers, events }) => {
        const serviceInformer = informers.informer(services);
        const nodeInformer = informers.informer(nodes);
        const slices = informers.informer(endpointSlice);
        const addresses = informers.informer(ipAddress, { labelSelector: poolSelector });
        addresses.addIndex('owner', (a) => [ownerOfAddress(a)]);

        const assign = async (service: ServiceView, run: ReconcileContext): Promise<Assignment> => {
          const serving = nodeInformer.list().filter(servesLoadBalancers);
          if (pool !== undefined) {
            const reserved = new Set(nodeInformer.list().flatMap((n) => (n.status?.addresses ?? []).map((a) => a.address)));
            const own = addresses.byIndex('owner', nameOf(service));
            return assignPoolAddress(service, { pool, reserved, own }, run);
          }
          const rivals = serviceInformer.list().filter(wantsLoadBalancer);
          if (service.spec?.externalTrafficPolicy !== 'Local') return assignNodeAddresses(service, { nodes: serving, rivals });
          const own = slices
            .list(service.metadata?.namespace)
            .filter((s) => s.metadata?.labels?.[serviceNameLabel] === service.metadata?.name);
          const local = nodesWithEndpoints(own);
          const near = serving.filter((n) => local.has(n.metadata?.name ?? ''));
          // Without any endpoint an address that drops says more than none.
          return assignNodeAddresses(service, { nodes: near.length > 0 ? near : serving, rivals });
        };

        return async (key, run) => {
          const service = serviceInformer.get(key);
          const own = addresses.byIndex('owner', `${key.namespace ?? ''}/${key.name}`);
          if (service === undefined || !wantsLoadBalancer(service)) {
            const cleans = service !== undefined && (hasCleanupFinalizer(service) || own.length > 0);
            if (cleans) events.event(service, 'Normal', 'DeletingLoadBalancer', 'Deleting load balancer');
            for (const a of own) await releaseAddress(a, run);
            // The status of a Service of another class is its implementation's.
            if (!cleans) return;
            await writeStatus(service, { ingress: [], finalizer: false, refusal: undefined }, run);
            events.event(service, 'Normal', 'DeletedLoadBalancer', 'Deleted load balancer');
            return;
          }
          await ensure(service, await assign(service, run), run);
        };

        async function ensure(service: ServiceView, assignment: Assignment, run: ReconcileContext): Promise<void> {
          const hadNone = lacksAddress(service);
          if ('refusal' in assignment) {
            const { refusal } = assignment;
            const told = findCondition(service.status?.conditions, conditionType)?.message === refusal.message;
            await writeStatus(service, { ingress: [], finalizer: true, refusal }, run);
            if (!told) warn(events, service, refusal);
            return;
          }
          if (hadNone) events.event(service, 'Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer');
          if (!(await writeStatus(service, { ingress: assignment.ingress, finalizer: true, refusal: undefined }, run))) return;
          if (hadNone) events.event(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
          else events.event(service, 'Normal', 'UpdatedLoadBalancer', 'Updated load balancer with new hosts');
        }
      },
    });
  },
};

function warn(events: EventRecorder, service: ServiceView, refusal: Refusal): void {
  if (refusal.reason === 'NoNodes') {
    events.event(service, 'Warning', 'UnAvailableLoadBalancer', 'There are no available nodes for LoadBalancer');
    return;
  }
  events.event(
    service,
    'Warning',
    'SyncLoadBalancerFailed',
    `Error syncing load balancer: failed to ensure load balancer: ${refusal.message}`,
  );
}
