import { ipAddress as addresses, serviceCIDR as ranges, type ServiceCIDR } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import { defineController, mapped, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { canGo, deletionGraceMs, isHeld, isReady, readinessConditions, serviceCIDRFinalizer } from '../service-cidr/plan-service-cidr.ts';

/** Says of ranges for ClusterIPs that they can be used, and keeps those that are being deleted while Services have addresses of them (KEP-1880). */
export const serviceCIDRController: ControllerDescriptor = {
  name: 'service-cidr-controller',
  define: () =>
    defineController({
      name: 'service-cidrs-controller',
      concurrency: 1,
      sources: [
        primary(ranges),
        mapped(addresses, (_, { informers }) =>
          informers
            .informer(ranges)
            .list()
            .filter((r) => r.metadata?.deletionTimestamp !== undefined)
            .map((r) => r.metadata?.name ?? ''),
        ),
      ],
      create: ({ informers, clock }) => {
        const informer = informers.informer(ranges);
        const addressInformer = informers.informer(addresses);
        return async (key, { client, signal }) => {
          const range = informer.get(key);
          if (range === undefined) return undefined;
          const finalizers = range.metadata?.finalizers ?? [];
          const setFinalizers = async (next: readonly string[]): Promise<void> => {
            const draft = structuredClone(range) as ServiceCIDR;
            draft.metadata = { ...draft.metadata, finalizers: [...next] };
            try {
              await client.update(ranges, draft, { signal });
            } catch (error) {
              if (!hasReason(error, 'NotFound')) throw error;
            }
          };
          const setReadiness = async (wanted: typeof isReady): Promise<void> => {
            const conditions = readinessConditions(range, wanted, formatTime(clock.now()));
            if (conditions === undefined) return;
            const draft = structuredClone(range) as ServiceCIDR;
            draft.status = { ...draft.status, conditions };
            await client.updateStatus(ranges, draft, { signal });
          };
          const deletedAt = range.metadata?.deletionTimestamp;
          if (deletedAt === undefined) {
            if (!finalizers.includes(serviceCIDRFinalizer)) await setFinalizers([...finalizers, serviceCIDRFinalizer]);
            else await setReadiness(isReady);
            return undefined;
          }
          if (!finalizers.includes(serviceCIDRFinalizer)) return undefined;
          if (!canGo(range, informer.list(), addressInformer.list())) {
            await setReadiness(isHeld);
            return undefined;
          }
          const leftMs = Date.parse(deletedAt) + deletionGraceMs - clock.now();
          if (leftMs > 0) return { requeueAfterMs: leftMs };
          await setFinalizers(finalizers.filter((f) => f !== serviceCIDRFinalizer));
          return undefined;
        };
      },
    }),
};
