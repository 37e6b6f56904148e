import {
  hasReason,
  type DeepReadonly,
  type KubeObject,
  type ObjectKey,
  type ObjectMeta,
  type OwnerReference,
  type ResourceRef,
} from '@skiff/apimachinery';
import { LruCache, type Client, type EventRecorder } from '@skiff/client';
import type { Logger } from '@skiff/component-base';
import {
  blockingDependents,
  foregroundFinalizer,
  orphanFinalizer,
  type GraphNode,
  type GraphQueue,
  type OwnerGraph,
} from './owner-graph.ts';

export interface CollectorDependencies {
  readonly client: Client;
  readonly graph: OwnerGraph;
  readonly queue: GraphQueue;
  readonly events: EventRecorder;
  readonly log: Logger;
  /** The resource of a kind; undefined when the server doesn't serve it. */
  readonly resourceOf: (apiVersion: string, kind: string) => ResourceRef | undefined;
}

export interface Collector {
  /** Throws to be called again later. */
  attemptToDelete(uid: string, signal: AbortSignal): Promise<void>;
  attemptToOrphan(uid: string, signal: AbortSignal): Promise<void>;
  /** Tells that an object is gone, which saves asking for it for each dependent. */
  noteAbsent(node: GraphNode): void;
}

type OwnerState = 'solid' | 'dangling' | 'waiting' | 'unresolvable';
type Reference = DeepReadonly<OwnerReference>;

const absentMax = 500;

/** What garbage collection does to one object at a time; see "Garbage Collection" in the Kubernetes documentation. */
export function createCollector(deps: CollectorDependencies): Collector {
  const { client, graph, queue, log } = deps;
  const absent = new LruCache<string, true>(absentMax);
  const absentKey = (uid: string, kind: string, key: ObjectKey): string => `${uid} ${kind} ${key.namespace ?? ''}/${key.name}`;

  const read = async (resource: ResourceRef, key: ObjectKey, signal: AbortSignal): Promise<ObjectMeta | undefined> => {
    try {
      return (await client.get<KubeObject>(resource, key, { metadataOnly: true, signal })).metadata;
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  };
  const resourceOf = (node: GraphNode): ResourceRef => {
    const resource = node.resource ?? deps.resourceOf(node.apiVersion, node.kind);
    if (resource === undefined) throw new Error(`no resource is known of kind ${node.kind} in ${node.apiVersion}`);
    return resource;
  };
  const keyOfNode = (node: GraphNode, resource: ResourceRef): ObjectKey => ({
    ...(resource.scope === 'Namespaced' && node.namespace !== undefined ? { namespace: node.namespace } : {}),
    name: node.name,
  });
  const patchMetadata = (node: GraphNode, live: ObjectMeta, change: ObjectMeta, signal: AbortSignal): Promise<KubeObject> => {
    const resource = resourceOf(node);
    const metadata = { uid: live.uid, resourceVersion: live.resourceVersion, ...change };
    return client.patch(resource, keyOfNode(node, resource), { type: 'merge', body: { metadata } }, { signal });
  };

  const ownerState = async (node: GraphNode, reference: Reference, signal: AbortSignal): Promise<OwnerState> => {
    const resource = deps.resourceOf(reference.apiVersion, reference.kind);
    if (resource === undefined) throw new Error(`no resource is known of kind ${reference.kind} in ${reference.apiVersion}`);
    if (resource.scope === 'Namespaced' && node.namespace === undefined) {
      reportInvalidNamespace(node, reference);
      return 'unresolvable';
    }
    const key: ObjectKey = {
      ...(resource.scope === 'Namespaced' && node.namespace !== undefined ? { namespace: node.namespace } : {}),
      name: reference.name,
    };
    const cacheKey = absentKey(reference.uid, reference.kind, key);
    if (absent.get(cacheKey) === true) return 'dangling';
    const owner = await read(resource, key, signal);
    if (owner === undefined || owner.uid !== reference.uid) {
      absent.set(cacheKey, true);
      const elsewhere = graph.get(reference.uid);
      if (elsewhere !== undefined && !elsewhere.virtual && elsewhere.namespace !== undefined && elsewhere.namespace !== node.namespace)
        reportInvalidNamespace(node, reference);
      return 'dangling';
    }
    return owner.deletionTimestamp !== undefined && (owner.finalizers ?? []).includes(foregroundFinalizer) ? 'waiting' : 'solid';
  };

  const reportInvalidNamespace = (node: GraphNode, reference: Reference): void => {
    const text = `[${reference.apiVersion}/${reference.kind}, namespace: ${node.namespace ?? ''}, name: ${reference.name}, uid: ${reference.uid}]`;
    const object = {
      apiVersion: node.apiVersion,
      kind: node.kind,
      metadata: { name: node.name, uid: node.uid, ...(node.namespace === undefined ? {} : { namespace: node.namespace }) },
    };
    deps.events.event(
      object,
      'Warning',
      'OwnerRefInvalidNamespace',
      `ownerRef ${text} does not exist in namespace "${node.namespace ?? ''}"`,
    );
  };

  /** A virtual node: is there such an object? It has not been seen, but may have been made just now. */
  const checkVirtual = async (node: GraphNode, signal: AbortSignal): Promise<void> => {
    const resource = resourceOf(node);
    const resolvable = resource.scope === 'Cluster' || node.namespace !== undefined;
    const live = resolvable ? await read(resource, keyOfNode(node, resource), signal) : undefined;
    if (graph.get(node.uid)?.virtual !== true) return;
    if (live?.uid === node.uid) throw new Error(`owner ${node.kind} ${node.name} exists but has not been observed yet`);
    if (resolvable) absent.set(absentKey(node.uid, node.kind, keyOfNode(node, resource)), true);
    graph.forget(node.uid);
  };

  const removeFinalizer = async (node: GraphNode, finalizer: string, signal: AbortSignal): Promise<void> => {
    const resource = resourceOf(node);
    const live = await read(resource, keyOfNode(node, resource), signal);
    if (live === undefined || live.uid !== node.uid || !(live.finalizers ?? []).includes(finalizer)) return;
    await patchMetadata(node, live, { finalizers: (live.finalizers ?? []).filter((f) => f !== finalizer) }, signal);
  };

  /** An owner in foreground deletion goes when nothing blocks it any more. */
  const finishForeground = async (node: GraphNode, signal: AbortSignal): Promise<void> => {
    const blocking = blockingDependents(node);
    if (blocking.length === 0) return await removeFinalizer(node, foregroundFinalizer, signal);
    for (const dependent of blocking) if (!dependent.deletingDependents) queue.attemptToDelete(dependent.uid);
  };

  const remove = async (
    node: GraphNode,
    live: ObjectMeta,
    o: { policy: 'Foreground' | 'Background' | 'Orphan'; signal: AbortSignal },
  ): Promise<void> => {
    const resource = resourceOf(node);
    const preconditions = { uid: node.uid, ...(live.resourceVersion === undefined ? {} : { resourceVersion: live.resourceVersion }) };
    log.info(
      { resource: resource.plural, namespace: node.namespace, name: node.name, policy: o.policy },
      'collecting an object without owners',
    );
    await client.delete(resource, keyOfNode(node, resource), { preconditions, propagationPolicy: o.policy, signal: o.signal });
  };

  const collect = async (node: GraphNode, live: ObjectMeta, signal: AbortSignal): Promise<void> => {
    const references: readonly Reference[] = live.ownerReferences ?? [];
    if (references.length === 0) return;
    const states = await Promise.all(references.map((r) => ownerState(node, r, signal)));
    if (states.includes('unresolvable')) return;
    const solid = references.filter((_, i) => states[i] === 'solid');
    if (solid.length === references.length) return;
    if (solid.length > 0) {
      // Kept by the others; the references that hold nothing go.
      await patchMetadata(node, live, { ownerReferences: solid as OwnerReference[] }, signal);
      return;
    }
    if (states.includes('waiting') && node.dependents.size > 0) {
      // Its own dependents first. In a circle somebody must stop blocking.
      if ([...node.dependents].some((d) => d.deletingDependents)) {
        const unblocked = references.map((r) => ({ ...r, blockOwnerDeletion: false }));
        await patchMetadata(node, live, { ownerReferences: unblocked }, signal);
        const fresh = await read(resourceOf(node), keyOfNode(node, resourceOf(node)), signal);
        if (fresh?.uid !== node.uid) return;
        return await remove(node, fresh, { policy: 'Foreground', signal });
      }
      return await remove(node, live, { policy: 'Foreground', signal });
    }
    const finalizers = live.finalizers ?? [];
    const policy = finalizers.includes(orphanFinalizer) ? 'Orphan' : finalizers.includes(foregroundFinalizer) ? 'Foreground' : 'Background';
    await remove(node, live, { policy, signal });
  };

  const tolerateGone = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
    }
  };

  return {
    noteAbsent: (node) =>
      absent.set(
        absentKey(node.uid, node.kind, { ...(node.namespace === undefined ? {} : { namespace: node.namespace }), name: node.name }),
        true,
      ),
    attemptToDelete: async (uid, signal) => {
      const node = graph.get(uid);
      if (node === undefined) return;
      if (node.virtual) return await checkVirtual(node, signal);
      if (node.beingDeleted && !node.deletingDependents) return;
      if (node.deletingDependents) return await tolerateGone(finishForeground(node, signal));
      const resource = resourceOf(node);
      const live = await read(resource, keyOfNode(node, resource), signal);
      if (live === undefined || live.uid !== uid) return;
      await tolerateGone(collect(node, live, signal));
    },
    attemptToOrphan: async (uid, signal) => {
      const owner = graph.get(uid);
      if (owner === undefined) return;
      for (const dependent of owner.dependents) {
        const resource = resourceOf(dependent);
        const live = await read(resource, keyOfNode(dependent, resource), signal);
        if (live === undefined || live.uid !== dependent.uid) continue;
        const kept = (live.ownerReferences ?? []).filter((r) => r.uid !== uid);
        if (kept.length !== (live.ownerReferences ?? []).length)
          await tolerateGone(patchMetadata(dependent, live, { ownerReferences: kept }, signal).then(() => undefined));
      }
      await tolerateGone(removeFinalizer(owner, orphanFinalizer, signal));
    },
  };
}
