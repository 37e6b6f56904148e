import { pod as pods } from '@skiff/api';
import { hasReason, type KubeObject } from '@skiff/apimachinery';
import { discoverResources, type Client, type DiscoveredResource, type Discovery } from '@skiff/client';
import type { DeletionFindings } from './deletion-conditions.ts';

export interface DeletionRound extends DeletionFindings {
  /** Seconds until something may have changed; 0 when nothing is left. */
  readonly estimateSeconds: number;
}

interface Remains {
  readonly count: number;
  readonly estimateSeconds: number;
  readonly finalizers: ReadonlyMap<string, number>;
  readonly error?: string;
}

/** A finalizer's owner is given this long between two looks. */
const finalizerEstimateSeconds = 15;
const parallel = 8;
const nothing: Remains = { count: 0, estimateSeconds: 0, finalizers: new Map() };

interface Scope {
  readonly client: Client;
  readonly namespace: string;
  readonly deletedAtMs: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** One round of emptying a namespace: pods first, and as long as there are any, nothing else (KEP-5080). */
export async function deleteNamespaceContent(scope: Scope): Promise<DeletionRound> {
  const discovery = await discoverResources(scope.client, scope.signal);
  const deletable = discovery.resources.filter((r) => r.scope === 'Namespaced' && r.verbs.includes('delete'));
  const isPods = (r: DiscoveredResource): boolean => r.group === pods.group && r.plural === pods.plural;
  const podRemains = await Promise.all(deletable.filter(isPods).map((r) => deleteAllOf(r, scope)));
  if (podRemains.some((r) => r.count > 0)) return { ...sumUp(discovery, podRemains), remaining: new Map(), finalizers: new Map() };

  const others = deletable.filter((r) => !isPods(r));
  const results = new Map<DiscoveredResource, Remains>();
  const next = others.values();
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (const resource of next) results.set(resource, await deleteAllOf(resource, scope));
    }),
  );
  const remaining = new Map(
    [...results].filter(([, r]) => r.count > 0).map(([resource, r]) => [`${resource.plural}.${resource.group}`, r.count]),
  );
  return { ...sumUp(discovery, [...podRemains, ...results.values()]), remaining };
}

function sumUp(discovery: Discovery, all: readonly Remains[]): Omit<DeletionRound, 'remaining'> {
  const finalizers = new Map<string, number>();
  for (const r of all) for (const [name, count] of r.finalizers) finalizers.set(name, (finalizers.get(name) ?? 0) + count);
  return {
    discoveryFailures: discovery.failures,
    errors: all.map((r) => r.error).filter((e) => e !== undefined),
    finalizers,
    estimateSeconds: Math.max(0, ...all.map((r) => r.estimateSeconds)),
  };
}

async function deleteAllOf(resource: DiscoveredResource, scope: Scope): Promise<Remains> {
  try {
    if (!resource.verbs.includes('list')) {
      await deleteCollection(resource, scope);
      return nothing;
    }
    const items = await listMetadata(resource, scope);
    if (items.length === 0) return nothing;
    const estimateSeconds = resource.group === '' && resource.plural === 'pods' ? await gracePeriodLeft(scope) : 0;
    if (!(await deleteCollection(resource, scope))) await deleteEach(resource, items, scope);
    return remainsOf(resource, await listMetadata(resource, scope), { namespace: scope.namespace, estimateSeconds });
  } catch (error) {
    if (scope.signal.aborted) throw error;
    // A custom resource may have been undefined meanwhile.
    if (hasReason(error, 'NotFound') || hasReason(error, 'MethodNotAllowed')) return nothing;
    return { ...nothing, error: error instanceof Error ? error.message : String(error) };
  }
}

function remainsOf(resource: DiscoveredResource, items: readonly KubeObject[], o: { namespace: string; estimateSeconds: number }): Remains {
  if (items.length === 0) return nothing;
  const finalizers = new Map<string, number>();
  for (const item of items) for (const name of item.metadata?.finalizers ?? []) finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
  if (o.estimateSeconds > 0) return { count: items.length, estimateSeconds: o.estimateSeconds, finalizers };
  if (finalizers.size > 0) return { count: items.length, estimateSeconds: finalizerEstimateSeconds, finalizers };
  return {
    count: items.length,
    estimateSeconds: 0,
    finalizers,
    error: `unexpected items still remain in namespace: ${o.namespace} for gvr: ${resource.group}/${resource.version}, Resource=${resource.plural}`,
  };
}

async function listMetadata(resource: DiscoveredResource, scope: Scope): Promise<readonly KubeObject[]> {
  return (await scope.client.list(resource, scope.namespace, { metadataOnly: true, signal: scope.signal })).items;
}

async function deleteCollection(resource: DiscoveredResource, scope: Scope): Promise<boolean> {
  if (!resource.verbs.includes('deletecollection')) return false;
  try {
    await scope.client.deleteCollection(resource, scope.namespace, { propagationPolicy: 'Background', signal: scope.signal });
    return true;
  } catch (error) {
    if (hasReason(error, 'MethodNotAllowed') || hasReason(error, 'NotFound')) return false;
    throw error;
  }
}

async function deleteEach(resource: DiscoveredResource, items: readonly KubeObject[], scope: Scope): Promise<void> {
  for (const item of items) {
    try {
      const key = { namespace: scope.namespace, name: item.metadata?.name ?? '' };
      await scope.client.delete(resource, key, { propagationPolicy: 'Background', signal: scope.signal });
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'MethodNotAllowed')) throw error;
    }
  }
}

/** The longest grace period of the pods that run, as long as it isn't over since the namespace's deletion. */
async function gracePeriodLeft(scope: Scope): Promise<number> {
  const list = await scope.client.list(pods, scope.namespace, { signal: scope.signal });
  const running = list.items.filter((pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed');
  const seconds = Math.max(0, ...running.map((pod) => pod.spec?.terminationGracePeriodSeconds ?? 0));
  return scope.nowMs - scope.deletedAtMs >= seconds * 1000 ? 0 : seconds;
}
