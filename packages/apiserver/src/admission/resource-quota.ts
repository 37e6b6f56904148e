import {
  addResources,
  equalResources,
  exceededResources,
  maskResources,
  negativeResources,
  quotaEvaluator,
  type QuotaAttributes,
  type QuotaEvaluator,
  quotaMatches,
  resourceQuota,
  type ResourceQuota,
  resourcesText,
  subtractToZero,
  withoutZeros,
} from '@skiff/api';
import { type DeepReadonly, internalError, type KubeObject } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import type { AdmissionPlugin } from './plugin.ts';
import { refuse } from './refuse.ts';

type QuotaView = DeepReadonly<ResourceQuota>;
type Quantities = Record<string, string>;

/** One write that waits to be charged. */
interface Charge {
  readonly request: AdmissionRequest;
  readonly evaluator: QuotaEvaluator;
  readonly attributes: QuotaAttributes;
  readonly settled: (error: unknown) => void;
  /** Why it may not pass, once that is known. */
  refused: unknown;
  /** What was added to which quota, to take it back when another quota refuses. */
  readonly charged: Map<string, Quantities>;
}

const namesText = (names: readonly string[]): string => [...names].sort().join(',');

/** What a write adds to a quota: nothing where the quota does not watch it. Throws Forbidden where it can't be told. */
function addedUsage(quota: QuotaView, c: Charge, nowMs: number): Quantities {
  const { evaluator, attributes, request } = c;
  const hard = quota.status?.hard ?? {};
  if (!quotaMatches(quota, hard, evaluator, attributes.object)) return {};
  const watched = evaluator.matchingResources(Object.keys(hard));
  const missing = evaluator.missing?.(watched, attributes.object);
  const name = quota.metadata?.name ?? '';
  if (missing !== undefined) throw refuse(request, `failed quota: ${name}: ${missing}`);
  if (watched.some((resource) => quota.status?.used?.[resource] === undefined)) {
    throw refuse(request, `status unknown for quota: ${name}, resources: ${namesText(watched)}`);
  }
  let usage = evaluator.usage(attributes.object, nowMs);
  const negative = negativeResources(usage);
  if (negative.length > 0) throw refuse(request, `quota usage is negative for resource(s): ${namesText(negative)}`);
  const { oldObject } = attributes;
  if (oldObject !== undefined && quotaMatches(quota, hard, evaluator, oldObject)) {
    usage = subtractToZero(usage, evaluator.usage(oldObject, nowMs));
  }
  return maskResources(withoutZeros(usage), Object.keys(hard));
}

/** Usage after a write, or the refusal. */
function charge(quota: QuotaView, used: DeepReadonly<Quantities>, added: Quantities, r: AdmissionRequest): Quantities {
  const hard = quota.status?.hard ?? {};
  const total = addResources(used, added);
  if (r.subresource === 'status') return total;
  const exceeded = exceededResources(maskResources(total, Object.keys(added)), hard);
  if (exceeded.length === 0) return total;
  const shown = (list: DeepReadonly<Quantities>): string => resourcesText(maskResources(list, exceeded));
  throw refuse(r, `exceeded quota: ${quota.metadata?.name}, requested: ${shown(added)}, used: ${shown(used)}, limited: ${shown(hard)}`);
}

/**
 * Charges writes to the ResourceQuotas of their namespace before they are stored. Usage is compare-and-set in the quotas' status, so
 * that any number of servers together never allow more than there is; the writes that wait in one namespace share one update. What is
 * charged for a write that then fails is given back by the quota controller.
 */
export function resourceQuotaAdmission(objects: ObjectAccess, clock: Pick<Clock, 'now'>): AdmissionPlugin {
  const waiting = new Map<string, Charge[]>();
  const working = new Set<string>();

  const quotasOf = (namespace: string): readonly QuotaView[] =>
    objects.list<ResourceQuota>(resourceQuota, namespace).filter((q) => q.metadata?.namespace === namespace);

  /** Charges all to one quota; those that don't fit are refused. The update may run more than once: each run begins anew. */
  async function chargeQuota(quota: QuotaView, all: readonly Charge[]): Promise<void> {
    const name = quota.metadata?.name ?? '';
    const key = `${quota.metadata?.namespace}/${name}`;
    const refusals = new Map<Charge, unknown>();
    const added = new Map<Charge, Quantities>();
    const compute = (current: QuotaView): Quantities => {
      refusals.clear();
      added.clear();
      let used: Quantities = { ...current.status?.used };
      for (const c of all) {
        try {
          const delta = addedUsage(current, c, clock.now());
          if (Object.keys(delta).length === 0) continue;
          used = charge(current, used, delta, c.request);
          added.set(c, delta);
        } catch (error) {
          refusals.set(c, error);
        }
      }
      return used;
    };
    const unchanged = equalResources(compute(quota), quota.status?.used);
    // A refusal that rests on what the cache has is looked at again on the object itself.
    if (!unchanged || refusals.size > 0) {
      await objects.update<ResourceQuota>(
        resourceQuota,
        quota.metadata?.namespace ?? '',
        name,
        (draft) => {
          const used = compute(draft);
          if (equalResources(used, draft.status?.used)) return undefined;
          draft.status = { ...draft.status, used };
          return draft;
        },
        { subresource: 'status' },
      );
    }
    for (const [c, error] of refusals) c.refused = error;
    for (const [c, delta] of added) c.charged.set(key, delta);
  }

  async function giveBack(refused: readonly Charge[]): Promise<void> {
    const byQuota = new Map<string, Quantities>();
    for (const c of refused) for (const [key, delta] of c.charged) byQuota.set(key, addResources(byQuota.get(key) ?? {}, delta));
    for (const [key, delta] of byQuota) {
      const [namespace = '', name = ''] = key.split('/');
      await objects.update<ResourceQuota>(
        resourceQuota,
        namespace,
        name,
        (draft) => {
          const used = { ...draft.status?.used };
          Object.assign(used, maskResources(subtractToZero(used, delta), Object.keys(delta)));
          draft.status = { ...draft.status, used };
          return draft;
        },
        { subresource: 'status' },
      );
    }
  }

  function dryRun(namespace: string, c: Charge): void {
    for (const quota of quotasOf(namespace)) charge(quota, quota.status?.used ?? {}, addedUsage(quota, c, clock.now()), c.request);
  }

  async function work(namespace: string): Promise<void> {
    working.add(namespace);
    try {
      for (let batch = waiting.get(namespace); batch !== undefined; batch = waiting.get(namespace)) {
        waiting.delete(namespace);
        await settle(namespace, batch);
      }
    } finally {
      working.delete(namespace);
    }
  }

  async function settle(namespace: string, batch: readonly Charge[]): Promise<void> {
    let left = batch;
    try {
      for (const quota of quotasOf(namespace)) {
        await chargeQuota(quota, left);
        left = left.filter((c) => c.refused === undefined);
      }
      await giveBack(batch.filter((c) => c.refused !== undefined && c.charged.size > 0));
    } catch (error) {
      for (const c of batch) c.refused ??= error;
    }
    for (const c of batch) c.settled(c.refused);
  }

  /** Resolves when the write is charged; rejects with why it may not be. */
  function submit(r: AdmissionRequest, evaluator: QuotaEvaluator, attributes: QuotaAttributes): Promise<void> {
    return new Promise((resolve, reject) => {
      const settled = (error: unknown): void => {
        if (error === undefined) resolve();
        else reject(error instanceof Error ? error : internalError(error));
      };
      const c: Charge = { request: r, evaluator, attributes, settled, refused: undefined, charged: new Map() };
      const queue = waiting.get(r.namespace);
      if (queue === undefined) waiting.set(r.namespace, [c]);
      else queue.push(c);
      if (!working.has(r.namespace)) void work(r.namespace);
    });
  }

  return {
    name: 'ResourceQuota',
    handles: (r) =>
      r.namespace !== '' &&
      (r.operation === 'CREATE' || r.operation === 'UPDATE') &&
      r.definition.plural !== 'events' &&
      r.definition.plural !== 'namespaces',
    validate: async (r) => {
      if (r.memo.has('ResourceQuota') || quotasOf(r.namespace).length === 0) return;
      const evaluator = quotaEvaluator(r.definition.group, r.definition.plural);
      const attributes: QuotaAttributes = {
        operation: r.operation === 'CREATE' ? 'CREATE' : 'UPDATE',
        subresource: r.subresource,
        object: r.object as DeepReadonly<KubeObject>,
        oldObject: (r.oldObject as DeepReadonly<KubeObject> | null) ?? undefined,
      };
      if (!evaluator.handles(attributes)) return;
      if (r.dryRun) {
        dryRun(r.namespace, {
          request: r,
          evaluator,
          attributes,
          settled: () => undefined,
          refused: undefined,
          charged: new Map(),
        });
        return;
      }
      await submit(r, evaluator, attributes);
      // A closure that runs again after a lost race is not charged twice.
      r.memo.set('ResourceQuota', true);
    },
  };
}
