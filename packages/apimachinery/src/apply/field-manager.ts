import { jsonEqual } from '../json-patch.ts';
import { jsonText } from '../json-text.ts';
import type { DeepReadonly, Json, JsonObject, KubeObject, ManagedFieldsEntry } from '../object.ts';
import type { SchemaRegistry } from '../schema.ts';
import { badRequest, StatusError } from '../status-error.ts';
import { appliedFields, fieldsOf, TypedError } from './applied-set.ts';
import { changedOrAdded, compareObjects, type Comparison, withoutFields } from './compare.ts';
import {
  difference,
  emptySet,
  type FieldSet,
  intersection,
  isEmptySet,
  pathsOf,
  recursiveDifference,
  setOfPaths,
  union,
} from './field-set.ts';
import {
  capUpdateManagers,
  decodeManagedFields,
  encodeManagedFields,
  isResetManagedFields,
  type Managed,
  type ManagedEntry,
  managerId,
} from './managed-fields.ts';
import { mergeObjects, removeFields, withNamedParents } from './merge-objects.ts';
import { createMergeTypes, type MergeMap } from './merge-type.ts';
import { formatPath } from './path-element.ts';

const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
const maxAnnotationsBytes = 256 * 1024;

/** Fields that nobody owns. */
const unowned: FieldSet = setOfPaths([
  'apiVersion',
  'kind',
  'metadata',
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation', 'managedFields', 'resourceVersion'].map(
    (f) => `metadata.${f}`,
  ),
]);

/** How an object looks in another version, for entries that were made in it. */
export interface OtherVersion {
  readonly type: MergeMap;
  convert(tree: JsonObject): JsonObject;
}

export interface FieldManagerConfig {
  readonly apiVersion: string;
  readonly kind: string;
  readonly type: MergeMap;
  /** Empty for the main resource. */
  readonly subresource: string;
  /** Fields that this endpoint does not change and so never owns: `status`, `spec.replicas`. */
  readonly resetFields: readonly string[];
  /** Other versions that entries may name; entries of versions that are unknown are dropped, as upstream does. */
  otherVersion?(apiVersion: string): OtherVersion | undefined;
}

export interface ApplyOptions {
  readonly manager: string;
  readonly force: boolean;
  /** RFC 3339, seconds. */
  readonly now: string;
}

export interface Applied {
  /** The merged tree, without managedFields: to be decoded and defaulted like a request body. */
  readonly tree: JsonObject;
  readonly managedFields: ManagedFieldsEntry[] | undefined;
}

/**
 * Keeps metadata.managedFields of one resource in one version (KEP-555). Pure: objects are not changed. Trees are objects in memory
 * in canonical form (as a codec decodes them), kind and apiVersion included.
 */
export interface FieldManager {
  /**
   * For create (`live` undefined), update and every patch but apply: whose fields are whose after `next` replaces `live`. Never fails;
   * managedFields that clients garbled count as absent.
   */
  update(
    live: DeepReadonly<KubeObject> | undefined,
    next: DeepReadonly<KubeObject>,
    o: { readonly manager: string; readonly now: string },
  ): ManagedFieldsEntry[] | undefined;
  /**
   * Server-side apply of a configuration (a parsed tree, not decoded). Throws Conflict with a cause for each field that another
   * manager owns with another value (unless `force`), BadRequest for what may not be applied.
   */
  apply(live: DeepReadonly<KubeObject> | undefined, configuration: JsonObject, o: ApplyOptions): Applied;
}

const asTree = (object: DeepReadonly<KubeObject>): JsonObject => object as unknown as JsonObject;

function withoutManagedFields(object: DeepReadonly<KubeObject>): JsonObject {
  const tree = asTree(object);
  const metadata = tree['metadata'] as JsonObject | undefined;
  if (metadata?.['managedFields'] === undefined) return tree;
  const { managedFields: _, ...rest } = metadata;
  return { ...tree, metadata: rest };
}

function decodeOrEmpty(entries: DeepReadonly<ManagedFieldsEntry[]> | undefined, trusted: boolean): Managed {
  try {
    return decodeManagedFields(entries, trusted);
  } catch {
    return new Map();
  }
}

export function createFieldManager(config: FieldManagerConfig): FieldManager {
  const { apiVersion, kind, type, subresource } = config;
  const reset = setOfPaths(config.resetFields);
  const nothing: JsonObject = { kind, apiVersion };

  /** Undefined: the entry's version is not served any more. */
  function inVersion(version: string): OtherVersion | undefined {
    return version === apiVersion ? { type, convert: (tree) => tree } : config.otherVersion?.(version);
  }

  /** Takes from other managers what changed hands; throws Conflict instead unless `force`. `self` is left alone. */
  function settle(managed: Managed, live: JsonObject, next: JsonObject, o: { self: string; force: boolean }): Comparison {
    const own = withoutFields(compareObjects(type, live, next), reset);
    const comparisons = new Map<string, Comparison | undefined>([[apiVersion, own]]);
    const comparisonIn = (version: string): Comparison | undefined => {
      if (!comparisons.has(version)) {
        const other = inVersion(version);
        comparisons.set(version, other && withoutFields(compareObjects(other.type, other.convert(live), other.convert(next)), reset));
      }
      return comparisons.get(version);
    };
    const conflicts: { entry: ManagedEntry; fields: FieldSet }[] = [];
    const changes: [string, ManagedEntry | undefined][] = [];
    for (const [id, entry] of managed) {
      if (id === o.self) continue;
      const comparison = comparisonIn(entry.apiVersion);
      if (comparison === undefined) {
        changes.push([id, undefined]);
        continue;
      }
      const lost = intersection(entry.fields, changedOrAdded(comparison));
      if (!isEmptySet(lost)) conflicts.push({ entry, fields: lost });
      const left = difference(difference(entry.fields, lost), comparison.removed);
      if (left !== entry.fields) changes.push([id, isEmptySet(left) ? undefined : { ...entry, fields: left, canonical: false }]);
      else if (isEmptySet(left)) changes.push([id, undefined]);
    }
    if (!o.force && conflicts.length > 0) throw applyConflict(conflicts);
    for (const [id, entry] of changes) {
      if (entry === undefined) managed.delete(id);
      else managed.set(id, entry);
    }
    return own;
  }

  function updateManaged(managed: Managed, live: JsonObject, next: JsonObject, o: { manager: string; now: string | undefined }): void {
    const comparison = settle(managed, live, next, { self: '', force: true });
    const fields = difference(changedOrAdded(comparison), unowned);
    if (!isEmptySet(fields)) {
      const entry = { manager: o.manager === '' ? 'unknown' : o.manager, operation: 'Update', apiVersion, subresource } as const;
      const id = managerId(entry);
      managed.set(id, { ...entry, fields: union(fields, managed.get(id)?.fields ?? emptySet), time: o.now });
    }
    capUpdateManagers(managed);
  }

  /** Removes what this manager applied last time but not this time, unless somebody else owns it. */
  function prune(merged: JsonObject, managed: Managed, last: ManagedEntry | undefined): JsonObject {
    if (last === undefined || isEmptySet(last.fields)) return merged;
    const version = inVersion(last.apiVersion);
    // Without a way back from the other version nothing can be taken away there.
    if (version === undefined || last.apiVersion !== apiVersion) return merged;
    const named = (set: FieldSet): FieldSet => withNamedParents(type, set);
    let pruned = removeFields(type, merged, named(last.fields));
    let owned = emptySet;
    for (const entry of managed.values()) if (entry.apiVersion === apiVersion) owned = union(owned, entry.fields);
    const mergedSet = named(fieldsOf(type, merged));
    pruned = removeFields(type, merged, difference(mergedSet, union(named(fieldsOf(type, pruned)), named(owned))));
    const gone = difference(mergedSet, named(fieldsOf(type, pruned)));
    return removeFields(type, merged, intersection(gone, named(last.fields)));
  }

  function applyOnce(
    live: JsonObject,
    configuration: JsonObject,
    before: Managed,
    o: ApplyOptions,
  ): { tree: JsonObject; managed: Managed } {
    const managed: Managed = new Map(before);
    const entry = { manager: o.manager, operation: 'Apply', apiVersion, subresource } as const;
    const id = managerId(entry);
    const last = managed.get(id);
    const fields = recursiveDifference(appliedFieldsOf(configuration), reset);
    const merged = mergeObjects(type, live, configuration);
    managed.set(id, { ...entry, fields, time: last?.time });
    const tree = prune(merged, managed, last);
    settle(managed, live, tree, { self: id, force: o.force });
    const unchanged = jsonEqual(live, tree);
    const owned = difference(fields, unowned);
    if (isEmptySet(owned)) managed.delete(id);
    else managed.set(id, { ...entry, fields: owned, time: unchanged ? last?.time : o.now });
    return { tree, managed };
  }

  function appliedFieldsOf(configuration: JsonObject): FieldSet {
    try {
      return appliedFields(type, configuration);
    } catch (e) {
      if (!(e instanceof TypedError)) throw e;
      const metadata = (configuration['metadata'] ?? {}) as JsonObject;
      const about = `${metadata['namespace'] ?? ''}/${metadata['name'] ?? ''}; ${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;
      throw new StatusError('', `failed to create typed patch object (${about}): ${e.message}`);
    }
  }

  /** What kubectl applied client-side, and still has its value: such fields may be taken over without conflict. */
  function lastAppliedFields(live: JsonObject): FieldSet | undefined {
    const text = annotationsOf(live)?.[lastAppliedAnnotation];
    if (typeof text !== 'string' || text === '') return undefined;
    try {
      const tree = JSON.parse(text) as JsonObject;
      if (tree['apiVersion'] !== apiVersion) return undefined;
      const c = compareObjects(type, tree, live);
      return difference(difference(appliedFields(type, tree), changedOrAdded(c)), c.removed);
    } catch {
      // Clients write this annotation; garbage in it only means that the conflicts stand.
      return undefined;
    }
  }

  function applyAsKubectl(
    live: JsonObject,
    configuration: JsonObject,
    managed: Managed,
    o: ApplyOptions,
  ): { tree: JsonObject; managed: Managed } {
    try {
      return applyOnce(live, configuration, managed, o);
    } catch (e) {
      if (!(e instanceof ApplyConflict) || o.manager !== 'kubectl') throw e;
      const allowed = lastAppliedFields(live);
      if (allowed === undefined) throw e;
      const left = e.conflicts.map((c) => ({ ...c, fields: difference(c.fields, allowed) })).filter((c) => !isEmptySet(c.fields));
      if (left.length > 0) throw applyConflict(left);
      return applyOnce(live, configuration, managed, { ...o, force: true });
    }
  }

  return {
    update(live, next, o) {
      const fromLive = (): Managed => decodeOrEmpty(live?.metadata?.managedFields, true);
      let managed: Managed;
      const given = next.metadata?.managedFields;
      if (subresource !== '') managed = fromLive();
      else if (isResetManagedFields(given)) managed = new Map();
      else {
        const asStored = live !== undefined && jsonEqual(given as Json, live.metadata?.managedFields as Json);
        managed = asStored ? fromLive() : decodeOrEmpty(given, false);
        if (managed.size === 0) managed = fromLive();
      }
      // An object whose tracking was given up stays untracked until somebody applies.
      if (managed.size === 0 && live !== undefined) return undefined;
      updateManaged(managed, live === undefined ? nothing : withoutManagedFields(live), withoutManagedFields(next), o);
      return encodeManagedFields(managed);
    },
    apply(liveObject, configuration, o) {
      checkConfiguration(configuration, apiVersion, kind);
      const live = liveObject === undefined ? nothing : withoutManagedFields(liveObject);
      let managed: Managed;
      try {
        managed = decodeManagedFields(liveObject?.metadata?.managedFields, true);
      } catch (e) {
        throw new StatusError('', `failed to decode managed fields: ${(e as Error).message}`);
      }
      if (managed.size === 0)
        updateManaged(managed, nothing, live, { manager: 'before-first-apply', now: liveObject === undefined ? undefined : o.now });
      const result = applyAsKubectl(live, configuration, managed, o);
      return {
        tree: o.manager === 'kubectl' ? refreshLastApplied(result.tree, configuration) : result.tree,
        managedFields: encodeManagedFields(result.managed),
      };
    },
  };
}

function checkConfiguration(configuration: JsonObject, apiVersion: string, kind: string): void {
  if (configuration['apiVersion'] !== apiVersion || configuration['kind'] !== kind) {
    const given = String(configuration['apiVersion'] ?? '');
    throw badRequest(`invalid object type: ${given.includes('/') ? given : `/${given}`}, Kind=${String(configuration['kind'] ?? '')}`);
  }
  const metadata = configuration['metadata'];
  if (
    typeof metadata === 'object' &&
    metadata !== null &&
    !Array.isArray(metadata) &&
    metadata['managedFields'] !== undefined &&
    metadata['managedFields'] !== null
  ) {
    throw badRequest('metadata.managedFields must be nil');
  }
}

const annotationsOf = (tree: JsonObject): JsonObject | undefined =>
  (tree['metadata'] as JsonObject | undefined)?.['annotations'] as JsonObject | undefined;

/** kubectl's server-side apply keeps the annotation of its client-side apply up to date, where there is one. */
function refreshLastApplied(tree: JsonObject, configuration: JsonObject): JsonObject {
  const annotations = annotationsOf(tree);
  const present = annotations?.[lastAppliedAnnotation];
  if (annotations === undefined || typeof present !== 'string' || present === '') return tree;
  const applied = structuredClone(configuration);
  const appliedAnnotations = annotationsOf(applied);
  if (appliedAnnotations !== undefined) delete appliedAnnotations[lastAppliedAnnotation];
  const updated: JsonObject = { ...annotations, [lastAppliedAnnotation]: `${jsonText(applied, true)}\n` };
  const size = Object.entries(updated).reduce((n, [k, v]) => n + Buffer.byteLength(k) + Buffer.byteLength(String(v)), 0);
  if (size > maxAnnotationsBytes) delete updated[lastAppliedAnnotation];
  return { ...tree, metadata: { ...(tree['metadata'] as JsonObject), annotations: updated } };
}

interface Conflicting {
  readonly entry: ManagedEntry;
  readonly fields: FieldSet;
}

class ApplyConflict extends StatusError {
  readonly conflicts: readonly Conflicting[];
  constructor(conflicts: readonly Conflicting[], message: string, causes: { reason: string; message: string; field: string }[]) {
    super('Conflict', message, { details: { causes } });
    this.conflicts = conflicts;
  }
}

function printManager(e: ManagedEntry): string {
  const name = `${JSON.stringify(e.manager)}${e.subresource === '' ? '' : ` with subresource ${JSON.stringify(e.subresource)}`}`;
  return e.operation === 'Update' ? `${name} using ${e.apiVersion}` : name;
}

function applyConflict(conflicts: readonly Conflicting[]): ApplyConflict {
  const sorted = [...conflicts].sort((a, b) => (managerId(a.entry) < managerId(b.entry) ? -1 : 1));
  const listed = sorted.map((c) => ({ manager: printManager(c.entry), paths: pathsOf(c.fields).map(formatPath) }));
  const causes = listed.flatMap((c) =>
    c.paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${c.manager}`, field })),
  );
  if (causes.length === 1)
    return new ApplyConflict(conflicts, `Apply failed with 1 conflict: ${causes[0]!.message}: ${causes[0]!.field}`, causes);
  const lines = listed.flatMap((c) => [`conflicts with ${c.manager}:`, ...c.paths.map((p) => `- ${p}`)]);
  return new ApplyConflict(conflicts, `Apply failed with ${causes.length} conflicts: ${lines.join('\n')}`, causes);
}

const mergeTypes = new WeakMap<SchemaRegistry, (structName: string) => MergeMap>();
/** The merge type of a built-in struct. */
export function mergeTypeOf(registry: SchemaRegistry, structName: string): MergeMap {
  let types = mergeTypes.get(registry);
  if (types === undefined) {
    types = createMergeTypes(registry);
    mergeTypes.set(registry, types);
  }
  return types(structName);
}
