import { formatGroupVersion, type DeepReadonly, type ObjectMeta, type OwnerReference, type ResourceRef } from '@skiff/apimachinery';

export const orphanFinalizer = 'orphan';
export const foregroundFinalizer = 'foregroundDeletion';

/** An object, as far as who owns whom goes. Nodes are known by UID. */
export interface GraphNode {
  readonly uid: string;
  readonly apiVersion: string;
  readonly kind: string;
  /** undefined for a virtual node: only its kind is known. */
  resource: ResourceRef | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
  owners: readonly DeepReadonly<OwnerReference>[];
  readonly dependents: Set<GraphNode>;
  beingDeleted: boolean;
  /** Waits, with its finalizer, for the dependents that block it. */
  deletingDependents: boolean;
  orphaning: boolean;
  /** Named as an owner, but never seen. */
  virtual: boolean;
}

/** What changes of the graph make worth looking at. */
export interface GraphQueue {
  attemptToDelete(uid: string): void;
  attemptToOrphan(uid: string): void;
}

export const blockingDependents = (owner: GraphNode): readonly GraphNode[] =>
  [...owner.dependents].filter((d) => d.owners.some((o) => o.uid === owner.uid && o.blockOwnerDeletion === true));

/** Who owns whom, over all resources. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #queue: GraphQueue;

  constructor(queue: GraphQueue) {
    this.#queue = queue;
  }
  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }
  get size(): number {
    return this.#nodes.size;
  }

  /** An object was added or changed. */
  observe(resource: ResourceRef, metadata: DeepReadonly<ObjectMeta>): void {
    const uid = metadata.uid;
    if (uid === undefined) return;
    const known = this.#nodes.get(uid);
    const node = known !== undefined && !known.virtual ? known : this.#insert(resource, metadata, known);
    this.#setOwners(node, metadata.ownerReferences ?? []);
    this.#transition(node, metadata);
  }

  /** An object is gone, or a virtual node turned out to stand for nothing. */
  forget(uid: string): void {
    const node = this.#nodes.get(uid);
    if (node === undefined) return;
    this.#nodes.delete(uid);
    for (const reference of node.owners) {
      const owner = this.#nodes.get(reference.uid);
      if (owner === undefined) continue;
      owner.dependents.delete(node);
      if (owner.deletingDependents) this.#queue.attemptToDelete(owner.uid);
      this.#dropUnusedVirtual(owner);
    }
    for (const dependent of node.dependents) this.#queue.attemptToDelete(dependent.uid);
  }

  #insert(resource: ResourceRef, metadata: DeepReadonly<ObjectMeta>, virtual: GraphNode | undefined): GraphNode {
    const node: GraphNode = {
      uid: metadata.uid ?? '',
      apiVersion: formatGroupVersion(resource.group, resource.version),
      kind: resource.kind,
      resource,
      namespace: metadata.namespace,
      name: metadata.name ?? '',
      owners: [],
      dependents: new Set(virtual?.dependents),
      beingDeleted: false,
      deletingDependents: false,
      orphaning: false,
      virtual: false,
    };
    this.#nodes.set(node.uid, node);
    // References that name this UID but another object are looked at: their owner doesn't exist.
    if (virtual !== undefined && (virtual.kind !== node.kind || virtual.name !== node.name || virtual.namespace !== node.namespace)) {
      for (const dependent of node.dependents) this.#queue.attemptToDelete(dependent.uid);
    }
    return node;
  }

  #setOwners(node: GraphNode, owners: readonly DeepReadonly<OwnerReference>[]): void {
    const before = node.owners;
    node.owners = owners;
    for (const old of before) {
      const now = owners.find((o) => o.uid === old.uid);
      const owner = this.#nodes.get(old.uid);
      if (owner === undefined) continue;
      if (now === undefined) owner.dependents.delete(node);
      const unblocked = old.blockOwnerDeletion === true && now?.blockOwnerDeletion !== true;
      if (unblocked && owner.deletingDependents) this.#queue.attemptToDelete(owner.uid);
      if (now === undefined) this.#dropUnusedVirtual(owner);
    }
    for (const reference of owners) {
      if (before.some((o) => o.uid === reference.uid)) continue;
      const owner = this.#nodes.get(reference.uid);
      if (owner === undefined) this.#addVirtual(reference, node);
      else {
        owner.dependents.add(node);
        if (!matches(owner, reference, node)) this.#queue.attemptToDelete(node.uid);
      }
    }
  }

  #addVirtual(reference: DeepReadonly<OwnerReference>, dependent: GraphNode): void {
    this.#nodes.set(reference.uid, {
      uid: reference.uid,
      apiVersion: reference.apiVersion,
      kind: reference.kind,
      resource: undefined,
      namespace: dependent.namespace,
      name: reference.name,
      owners: [],
      dependents: new Set([dependent]),
      beingDeleted: false,
      deletingDependents: false,
      orphaning: false,
      virtual: true,
    });
    this.#queue.attemptToDelete(reference.uid);
  }
  #dropUnusedVirtual(node: GraphNode): void {
    if (node.virtual && node.dependents.size === 0) this.#nodes.delete(node.uid);
  }

  #transition(node: GraphNode, metadata: DeepReadonly<ObjectMeta>): void {
    const ends = metadata.deletionTimestamp !== undefined;
    const waits = (finalizer: string): boolean => ends && (metadata.finalizers ?? []).includes(finalizer);
    const startsOrphaning = waits(orphanFinalizer) && !node.orphaning;
    const startsDeleting = waits(foregroundFinalizer) && !node.deletingDependents;
    node.beingDeleted = ends;
    node.orphaning = waits(orphanFinalizer);
    node.deletingDependents = waits(foregroundFinalizer);
    if (startsOrphaning) this.#queue.attemptToOrphan(node.uid);
    if (!startsDeleting) return;
    for (const dependent of blockingDependents(node)) this.#queue.attemptToDelete(dependent.uid);
    this.#queue.attemptToDelete(node.uid);
  }
}

/** Whether a reference of `dependent` names `owner` by kind, name and namespace. A cluster-scoped owner may own in any namespace. */
function matches(owner: GraphNode, reference: DeepReadonly<OwnerReference>, dependent: GraphNode): boolean {
  const group = (apiVersion: string): string => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '');
  const sameNamespace = owner.virtual || owner.namespace === undefined || owner.namespace === dependent.namespace;
  return (
    owner.kind === reference.kind &&
    owner.name === reference.name &&
    group(owner.apiVersion) === group(reference.apiVersion) &&
    sameNamespace
  );
}
