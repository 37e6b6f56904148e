import { isDeepStrictEqual } from 'node:util';
import type { DataTable, TableDelta } from './types.ts';

function diffRecord<T>(from: Readonly<Record<string, T>>, to: Readonly<Record<string, T>>): Record<string, T | null> {
  const changes: Record<string, T | null> = {};
  for (const [key, value] of Object.entries(to)) {
    const old = from[key];
    if (old !== value && !isDeepStrictEqual(old, value)) changes[key] = value;
  }
  for (const key of Object.keys(from)) if (to[key] === undefined) changes[key] = null;
  return changes;
}

/** What to send so that a holder of `from` holds `to`; undefined when they are equal. Values that are the same object are not looked into. */
export function diffTables(from: DataTable, to: DataTable): TableDelta | undefined {
  const groups = diffRecord(from.groups, to.groups);
  const frontends = diffRecord(from.frontends, to.frontends);
  const settings = isDeepStrictEqual(from.settings, to.settings) ? undefined : to.settings;
  if (settings === undefined && Object.keys(groups).length === 0 && Object.keys(frontends).length === 0) return undefined;
  return { ...(settings === undefined ? {} : { settings }), groups, frontends };
}

function patchRecord<T>(base: Readonly<Record<string, T>>, changes: Readonly<Record<string, T | null>>): Record<string, T> {
  const result = { ...base };
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete result[key];
    else result[key] = value;
  }
  return result;
}

export const applyDelta = (table: DataTable, delta: TableDelta): DataTable => ({
  settings: delta.settings ?? table.settings,
  groups: patchRecord(table.groups, delta.groups),
  frontends: patchRecord(table.frontends, delta.frontends),
});
