import {
  compareResourceVersions,
  formatKey,
  keyOf,
  parseKey,
  type DeepReadonly,
  type KubeObject,
  type ObjectKey,
  type ResourceRef,
} from '@skiff/apimachinery';
import { RequestError, type Client, type Informer, type WriteFence } from './contract.ts';

/** Group and plural: a resource has one row of revisions in all its versions. */
export const resourceId = (r: ResourceRef): string => (r.group === '' ? r.plural : `${r.plural}.${r.group}`);

export type FindInformer = (id: string) => Informer<KubeObject> | undefined;

/**
 * The fence of one key (see WriteFence). Resources that the controller has no unfiltered informer of are not waited for:
 * nothing would ever tell that their writes have arrived.
 */
export class KeyFence implements WriteFence {
  readonly #written = new Map<string, string>();
  readonly #deleted = new Map<string, Map<string, string>>();
  readonly #uncertain = new Set<string>();

  wrote(r: ResourceRef, object: DeepReadonly<KubeObject>): void {
    const version = object.metadata?.resourceVersion;
    if (version === undefined) return this.uncertain(r);
    const id = resourceId(r);
    const known = this.#written.get(id);
    if (known === undefined || compareResourceVersions(known, version) < 0) this.#written.set(id, version);
  }
  deleted(r: ResourceRef, object: DeepReadonly<KubeObject>): void {
    const uid = object.metadata?.uid;
    if (uid === undefined) return this.uncertain(r);
    const id = resourceId(r);
    const uids = this.#deleted.get(id) ?? new Map<string, string>();
    this.#deleted.set(id, uids.set(uid, keyOf(object)));
  }
  uncertain(r: ResourceRef): void {
    this.#uncertain.add(resourceId(r));
  }

  get empty(): boolean {
    return this.#written.size === 0 && this.#deleted.size === 0 && this.#uncertain.size === 0;
  }
  /** Resources with a write of unknown outcome. */
  get uncertainResources(): readonly string[] {
    return [...this.#uncertain];
  }
  /** After a relist that began later than the last write, nothing is left to wait for. */
  clear(id: string): void {
    this.#written.delete(id);
    this.#deleted.delete(id);
    this.#uncertain.delete(id);
  }

  /** Resources whose informers have not caught up. Forgets what they have seen. */
  closedBy(find: FindInformer): readonly string[] {
    const waiting = new Set<string>();
    for (const [id, version] of this.#written) {
      const informer = find(id);
      if (informer === undefined || compareResourceVersions(informer.resourceVersion, version) >= 0) this.#written.delete(id);
      else waiting.add(id);
    }
    for (const [id, uids] of this.#deleted) {
      const informer = find(id);
      for (const [uid, key] of uids) {
        const cached = informer?.get(parseKey(key));
        if (cached === undefined || cached.metadata?.uid !== uid || cached.metadata.deletionTimestamp !== undefined) uids.delete(uid);
      }
      if (uids.size === 0) this.#deleted.delete(id);
      else waiting.add(id);
    }
    for (const id of this.#uncertain) {
      if (find(id) === undefined) this.#uncertain.delete(id);
      else waiting.add(id);
    }
    return [...waiting];
  }
}

/** A client whose writes are noted in `fence`: answers by their revision, deletions by UID, lost answers as uncertain. */
export function fenceWrites(client: Client, fence: WriteFence, find: FindInformer): Client {
  const noted = async <R>(r: ResourceRef, write: Promise<R>, note: (result: R) => void): Promise<R> => {
    let result: R;
    try {
      result = await write;
    } catch (error) {
      if (error instanceof RequestError ? error.maybeProcessed : error instanceof Error && error.name === 'AbortError') fence.uncertain(r);
      throw error;
    }
    note(result);
    return result;
  };
  const noteDeletion = (r: ResourceRef, key: ObjectKey, uid: string | undefined): void => {
    const known = uid ?? find(resourceId(r))?.get(key)?.metadata?.uid;
    if (known === undefined) return;
    const parsed = parseKey(formatKey(key));
    fence.deleted(r, { metadata: { ...parsed, uid: known } });
  };
  return {
    ...client,
    create: (r, object, o) => noted(r, client.create(r, object, o), (result) => fence.wrote(r, result)),
    update: (r, object, o) => noted(r, client.update(r, object, o), (result) => fence.wrote(r, result)),
    updateStatus: (r, object, o) => noted(r, client.updateStatus(r, object, o), (result) => fence.wrote(r, result)),
    patch: (r, key, patch, o) => noted(r, client.patch(r, key, patch, o), (result) => fence.wrote(r, result)),
    delete: (r, key, o) => noted(r, client.delete(r, key, o), () => noteDeletion(r, key, o?.preconditions?.uid)),
  };
}
