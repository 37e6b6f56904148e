import {
  persistentVolumeClaim as claims,
  pod as pods,
  resourceQuota as quotas,
  service as services,
  type Pod,
  type QuotaEvaluator,
  type ResourceQuota,
} from '@skiff/api';
import { keyOf, type DeepReadonly, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import { defineController, mapped, primary, type Source, type SourceContext } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { createFollowers } from '../resource-quota/followers.ts';
import { computeQuotaStatus, evaluatorsOf, givesBack, sameQuotaStatus, withoutGivingBack } from '../resource-quota/usage.ts';
import { semanticEqual } from '../semantic-equality.ts';

/** All quotas are computed anew this often: what no event told of, as pods whose grace is over, is then seen. */
const resyncMs = 5 * 60_000;
/**
 * A charge comes before its object is stored. What looks unused is therefore given back only when nothing was charged for a moment…
 */
const quietMs = 1500;
/** …but no later than this. */
const giveBackWithinMs = 15_000;

const idOf = (e: Pick<QuotaEvaluator, 'group' | 'resource'>): string => `${e.group}/${e.resource}`;

const quotasIn = (namespace: string | undefined, { informers }: SourceContext): string[] =>
  informers
    .informer(quotas)
    .list(namespace)
    .map((q) => keyOf(q));

/** Changes of what a quota may count by more than its number. */
const counted = <T extends KubeObject>(resource: ResourceRef<T>, facts: (object: DeepReadonly<T>) => unknown): Source =>
  mapped(resource, (object, context) => quotasIn(object.metadata?.namespace, context), {
    changed: (a, b) => !semanticEqual(facts(a), facts(b)),
  });

const podFacts = (pod: DeepReadonly<Pod>): unknown => [
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed',
  pod.metadata?.deletionTimestamp,
  pod.spec?.activeDeadlineSeconds,
  (pod.spec?.containers ?? []).map((c) => c.resources),
  (pod.status?.containerStatuses ?? []).map((c) => c.allocatedResources),
];

/** Keeps the status of ResourceQuotas: the limits that hold, and what the objects there are use. Admission adds, this gives back. */
export const resourceQuotaController: ControllerDescriptor = {
  name: 'resourcequota-controller',
  define: () =>
    defineController({
      name: 'resourcequota-controller',
      concurrency: 5,
      sources: [
        primary(quotas, { changed: (a, b) => !semanticEqual(a.spec, b.spec) || !semanticEqual(a.status?.hard, b.status?.hard) }),
        counted(pods, podFacts),
        counted(services, (service) => service.spec),
        counted(claims, (claim) => [claim.spec, claim.status?.allocatedResources, claim.status?.currentVolumeAttributesClassName]),
      ],
      create: (context) => {
        const { informers, clock } = context;
        const quotaInformer = informers.informer(quotas);
        const shared = new Map<string, { list(namespace: string): readonly DeepReadonly<KubeObject>[] }>([
          ['/pods', informers.informer(pods)],
          ['/services', informers.informer(services)],
          ['/persistentvolumeclaims', informers.informer(claims)],
        ]);
        const followers = createFollowers(
          {
            onDelete: (namespace) => {
              for (const key of quotasIn(namespace, context)) context.enqueue(key);
            },
          },
          { client: context.client, clock, log: context.log },
        );
        /** Since when a quota's charges look too high, and at which version they last changed. */
        const tooHigh = new Map<string, { readonly sinceMs: number; version: string; versionSinceMs: number }>();

        const followedIn = (namespace: string): Set<string> =>
          new Set(
            quotaInformer
              .list(namespace)
              .flatMap((quota) => evaluatorsOf(quota).map(idOf))
              .filter((id) => !shared.has(id)),
          );

        /** How long to wait before charges of this quota may be given back; 0 = now. */
        const waitMs = (key: string, quota: DeepReadonly<ResourceQuota>): number => {
          const nowMs = clock.monotonicMs();
          const version = quota.metadata?.resourceVersion ?? '';
          const seen = tooHigh.get(key) ?? { sinceMs: nowMs, version, versionSinceMs: nowMs };
          if (seen.version !== version) {
            seen.version = version;
            seen.versionSinceMs = nowMs;
          }
          tooHigh.set(key, seen);
          return Math.max(0, Math.min(seen.versionSinceMs + quietMs, seen.sinceMs + giveBackWithinMs) - nowMs);
        };

        return async (key, { client, signal }) => {
          const quota = quotaInformer.get(key);
          const namespace = key.namespace ?? '';
          await followers.follow(namespace, followedIn(namespace), signal);
          const name = `${namespace}/${key.name}`;
          if (quota === undefined) {
            tooHigh.delete(name);
            return undefined;
          }
          const listOf = (e: QuotaEvaluator): readonly DeepReadonly<KubeObject>[] =>
            shared.get(idOf(e))?.list(namespace) ?? followers.list(namespace, idOf(e)) ?? [];
          const status = computeQuotaStatus(quota, listOf, clock.now());
          if (sameQuotaStatus(quota.status, status)) {
            tooHigh.delete(name);
            return { requeueAfterMs: resyncMs };
          }
          const delayMs = givesBack(quota.status, status) ? waitMs(name, quota) : 0;
          const next = delayMs === 0 ? status : withoutGivingBack(quota.status, status);
          if (delayMs === 0) tooHigh.delete(name);
          if (!sameQuotaStatus(quota.status, next)) {
            await client.updateStatus(quotas, { ...(structuredClone(quota) as ResourceQuota), status: next }, { signal });
          }
          return { requeueAfterMs: delayMs === 0 ? resyncMs : delayMs };
        };
      },
    }),
};
