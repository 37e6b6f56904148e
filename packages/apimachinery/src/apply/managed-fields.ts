import type { DeepReadonly, JsonObject, ManagedFieldsEntry } from '../object.ts';
import { parseTime } from '../time.ts';
import { emptySet, type FieldSet, isFieldSet, sortSet, union } from './field-set.ts';

/** Who owns what: one entry for each manager, operation, version and subresource (appliers: for all versions together). */
export interface ManagedEntry {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  readonly fields: FieldSet;
  readonly time: string | undefined;
  /** `fields` is in canonical order, as this server wrote it. */
  readonly canonical?: boolean;
}
export type Managed = Map<string, ManagedEntry>;

/** Upstream's manager identifier: also what orders entries of the same second. */
export function managerId(e: Pick<ManagedEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>): string {
  const manager = e.manager === '' ? '' : `"manager":${JSON.stringify(e.manager)},`;
  const apiVersion = e.operation === 'Apply' ? '' : `,"apiVersion":${JSON.stringify(e.apiVersion)}`;
  const subresource = e.subresource === '' ? '' : `,"subresource":${JSON.stringify(e.subresource)}`;
  return `{${manager}"operation":"${e.operation}"${apiVersion}${subresource}}`;
}

/**
 * Throws an Error with upstream's complaint about entries that clients got wrong. `trusted`: this server stored them, and in
 * canonical form.
 */
export function decodeManagedFields(entries: DeepReadonly<ManagedFieldsEntry[]> | undefined, trusted: boolean): Managed {
  const managed: Managed = new Map();
  for (const [i, e] of (entries ?? []).entries()) {
    if (e.operation !== 'Apply' && e.operation !== 'Update') throw new Error('operation must be `Apply` or `Update`');
    if (!e.apiVersion) throw new Error('apiVersion must not be empty');
    if (!e.fieldsType) throw new Error(`missing fieldsType in managed fields entry ${i}`);
    if (e.fieldsType !== 'FieldsV1') throw new Error(`invalid fieldsType ${JSON.stringify(e.fieldsType)} in managed fields entry ${i}`);
    const fields = (e.fieldsV1 ?? emptySet) as JsonObject;
    if (!trusted && !isFieldSet(fields)) throw new Error(`error decoding set in managed fields entry ${i}`);
    const entry: ManagedEntry = {
      manager: e.manager ?? '',
      operation: e.operation,
      apiVersion: e.apiVersion,
      subresource: e.subresource ?? '',
      fields,
      time: e.time,
      canonical: trusted,
    };
    managed.set(managerId(entry), entry);
  }
  return managed;
}

const timeMs = new Map<string, number>();
function seconds(time: string | undefined): number {
  if (time === undefined) return 0;
  let ms = timeMs.get(time);
  if (ms === undefined) {
    ms = parseTime(time);
    if (timeMs.size > 1024) timeMs.clear();
    timeMs.set(time, ms);
  }
  return Math.floor(ms / 1000);
}
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Entries in upstream's order, with their sets in canonical form. Undefined when there are none. */
export function encodeManagedFields(managed: Managed): ManagedFieldsEntry[] | undefined {
  if (managed.size === 0) return undefined;
  const entries = [...managed.values()];
  if (entries.length > 1) {
    entries.sort(
      (a, b) =>
        compareText(a.operation, b.operation) ||
        seconds(a.time) - seconds(b.time) ||
        compareText(a.manager, b.manager) ||
        compareText(a.apiVersion, b.apiVersion) ||
        compareText(a.subresource, b.subresource),
    );
  }
  return entries.map(encodeEntry);
}

function encodeEntry(e: ManagedEntry): ManagedFieldsEntry {
  const out: ManagedFieldsEntry = {};
  if (e.manager !== '') out.manager = e.manager;
  out.operation = e.operation;
  out.apiVersion = e.apiVersion;
  if (e.time !== undefined) out.time = e.time;
  out.fieldsType = 'FieldsV1';
  out.fieldsV1 = e.canonical === true ? e.fields : sortSet(e.fields);
  if (e.subresource !== '') out.subresource = e.subresource;
  return out;
}

const maxUpdateManagers = 10;
const oldUpdatesManager = 'ancient-changes';

/** Merges the oldest updaters of the same version into one entry when there are more than ten. */
export function capUpdateManagers(managed: Managed): void {
  if (managed.size <= maxUpdateManagers) return;
  const updaters = [...managed].filter(([, e]) => e.operation === 'Update');
  if (updaters.length <= maxUpdateManagers) return;
  updaters.sort(([a, x], [b, y]) => seconds(x.time) - seconds(y.time) || compareText(a, b));
  const firstOfVersion = new Map<string, string>();
  let count = updaters.length;
  for (const [id, entry] of updaters) {
    if (count <= maxUpdateManagers) return;
    const { apiVersion } = entry;
    const first = firstOfVersion.get(apiVersion);
    if (first === undefined) {
      firstOfVersion.set(apiVersion, id);
      continue;
    }
    const bucket = { manager: oldUpdatesManager, operation: 'Update', apiVersion, subresource: '' } as const;
    const bucketId = managerId(bucket);
    const before = managed.get(bucketId) ?? managed.get(first)!;
    if (!managed.has(bucketId)) managed.delete(first);
    managed.delete(id);
    managed.set(bucketId, { ...bucket, fields: union(entry.fields, before.fields), time: entry.time });
    count--;
  }
}

/** A client asks for managedFields to be forgotten by sending an empty list, or a list of one empty entry. */
export function isResetManagedFields(entries: DeepReadonly<ManagedFieldsEntry[]> | undefined): boolean {
  if (entries === undefined) return false;
  return entries.length === 0 || (entries.length === 1 && Object.values(entries[0]!).every((v) => v === undefined));
}
