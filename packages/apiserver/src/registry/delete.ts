import { conflict, type DeepReadonly, type KubeObject, notFound } from '@skiff/apimachinery';
import { formatTime } from '@skiff/component-base';
import type { StoredEntry } from '../storage/stored-entry.ts';
import type { DeleteOptions } from './delete-options.ts';
import { pendingEntry } from './entry-writes.ts';
import { type Change, guaranteedUpdate } from './guaranteed-update.ts';
import { metadataOf } from './object-metadata.ts';
import type { EncodedObject } from './resource-codec.ts';
import { keyOf } from './stored-resource.ts';
import { admissionRequest, subjectOf, type WriteContext } from './write-context.ts';

export interface DeleteResult {
  /** Gone, not only marked. */
  readonly deleted: boolean;
  /** The last state, or the marked one. */
  readonly entry: StoredEntry;
}

/**
 * Deletes an object or marks it for deletion. Every decision is made on the state that the write then replaces:
 *
 *     finalizers left ──▶ marked, grace 0, stays until the last finalizer is gone
 *     graceful kind   ──▶ marked with its grace period, stays until it is deleted with grace 0
 *     else            ──▶ gone
 */
export async function deleteObject(w: WriteContext, name: string, options: DeleteOptions): Promise<DeleteResult> {
  const { resource } = w;
  let answer: EncodedObject | undefined;
  const outcome = await guaranteedUpdate(resource, {
    key: keyOf(resource, w.namespace, name),
    dryRun: w.dryRun,
    guard: w.guard,
    lifetime: w.lifetime,
    change: async (entry) => {
      if (entry === undefined) throw notFound(subjectOf(w), name);
      const object = resource.codec.parse(resource.view.formOf(entry));
      metadataOf(object).resourceVersion = String(entry.revision);
      checkPreconditions(w, object, options);
      await validateDeletion(w, name, object);
      const change = computeDeletion(w, object, options);
      answer = change.kind === 'delete' ? change.answer : undefined;
      return change;
    },
  });
  if (outcome.entry === undefined) throw notFound(subjectOf(w), name);
  if (outcome.kind === 'deleted' && answer !== undefined) {
    const entry = pendingEntry(resource, outcome.entry.key, answer, outcome.entry.revision);
    await w.hooks?.afterDelete?.(resource.codec.parse(answer.form), { dryRun: w.dryRun });
    return { deleted: true, entry };
  }
  if (outcome.kind === 'deleted' && w.hooks?.afterDelete !== undefined) {
    await w.hooks.afterDelete(resource.codec.parse(resource.view.formOf(outcome.entry)), { dryRun: w.dryRun });
  }
  return { deleted: outcome.kind === 'deleted', entry: outcome.entry };
}

/** Both admission stages see a deletion as an old object without a new one. */
async function validateDeletion(w: WriteContext, name: string, object: KubeObject): Promise<void> {
  if (w.admission === undefined) return;
  const request = admissionRequest(w, 'DELETE', { name, object: undefined, old: object });
  await w.admission.mutate(request, w.lifetime);
  await w.admission.validate(request, w.lifetime);
}

function checkPreconditions(w: WriteContext, object: DeepReadonly<KubeObject>, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions;
  const meta = object.metadata ?? {};
  const subject = { group: w.resource.definition.group, resource: w.resource.definition.kind };
  if (uid !== undefined && uid !== meta.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${meta.uid ?? ''}). The object might have been deleted and then recreated`;
    throw conflict(subject, meta.name ?? '', why);
  }
  if (resourceVersion !== undefined && resourceVersion !== meta.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${meta.resourceVersion ?? ''}). The object might have been modified`;
    throw conflict(subject, meta.name ?? '', why);
  }
}

/** What deleting `object` (a draft) means. Pure but for the draft. */
export function computeDeletion(w: WriteContext, object: KubeObject, options: DeleteOptions): Change {
  const special = w.hooks?.computeDeletion?.(object, options, w.now);
  const encode = (): Change => ({ kind: 'put', encoded: w.resource.codec.encode(object) });
  if (special === 'mark') return encode();
  if (special === 'keep') return { kind: 'keep' };
  const graceful = applyGrace(w, object, options);
  if (graceful === 'pending') return { kind: 'keep' };
  const meta = metadataOf(object);
  const finalizers = computeFinalizers(w, meta.finalizers ?? [], options);
  if (finalizers.length > 0) meta.finalizers = finalizers;
  else delete meta.finalizers;
  if (graceful === 'no') {
    if (finalizers.length === 0) return { kind: 'delete' };
    markDeleting(w, object);
    return encode();
  }
  if (finalizers.length > 0 || (meta.deletionGracePeriodSeconds ?? 0) > 0) return encode();
  // Marked and gone in one step: nobody sees the mark but the client that asked.
  return { kind: 'delete', answer: w.resource.codec.encode(object) };
}

/** Sets deletion time and grace period where the kind deletes gracefully. 'pending': it is on its way and can't be made shorter by this. */
function applyGrace(w: WriteContext, object: KubeObject, options: DeleteOptions): 'no' | 'graceful' | 'pending' {
  if (w.strategy.gracefulDelete === undefined) return 'no';
  const meta = metadataOf(object);
  const requested = options.gracePeriodSeconds === undefined ? undefined : options.gracePeriodSeconds < 0 ? 1 : options.gracePeriodSeconds;
  if (meta.deletionTimestamp) {
    const current = meta.deletionGracePeriodSeconds ?? 0;
    if (current === 0) return 'no';
    if (requested === undefined || requested >= current) return 'pending';
    const askedMs = Date.parse(meta.deletionTimestamp) - current * 1000 + requested * 1000;
    // Shorter, but never in the past; while someone still has to act on it, one second is the least.
    const late = askedMs < w.nowMs;
    meta.deletionTimestamp = formatTime(late ? w.nowMs : askedMs);
    meta.deletionGracePeriodSeconds = late && requested !== 0 ? 1 : requested;
    return 'graceful';
  }
  const seconds = w.strategy.gracefulDelete(object, requested);
  meta.deletionTimestamp = formatTime(w.nowMs + seconds * 1000);
  meta.deletionGracePeriodSeconds = seconds;
  if ((meta.generation ?? 0) > 0) meta.generation = (meta.generation ?? 0) + 1;
  return 'graceful';
}

function markDeleting(w: WriteContext, object: KubeObject): void {
  const meta = metadataOf(object);
  if (!meta.deletionTimestamp && (meta.generation ?? 0) > 0) meta.generation = (meta.generation ?? 0) + 1;
  if (!meta.deletionTimestamp || Date.parse(meta.deletionTimestamp) > w.nowMs) meta.deletionTimestamp = w.now;
  meta.deletionGracePeriodSeconds = 0;
}

const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

/** The finalizers with those that tell the garbage collector what the client, the object or the kind wants. */
export function computeFinalizers(w: Pick<WriteContext, 'strategy'>, current: readonly string[], options: DeleteOptions): string[] {
  const kept = current.filter((f) => f !== orphanFinalizer && f !== foregroundFinalizer);
  let policy: string;
  if (options.orphanDependents !== undefined) policy = options.orphanDependents ? 'Orphan' : 'Background';
  else if (options.propagationPolicy !== undefined) policy = options.propagationPolicy;
  else {
    const said = current.find((f) => f === orphanFinalizer || f === foregroundFinalizer);
    policy =
      said === orphanFinalizer || (said === undefined && w.strategy.defaultGarbageCollection === 'orphan')
        ? 'Orphan'
        : said === undefined
          ? 'Background'
          : 'Foreground';
  }
  if (policy === 'Orphan') kept.push(orphanFinalizer);
  if (policy === 'Foreground') kept.push(foregroundFinalizer);
  return kept;
}
