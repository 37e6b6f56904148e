import type { DeepReadonly, Json, KubeObject, LabelSelector, ObjectMeta, TableColumn, TableDefinition } from '@skiff/apimachinery';

/** First column of nearly every kind: `format: name` makes clients print `kind/name` where several kinds are listed. */
export const nameColumn: TableColumn = { name: 'Name', type: 'string', format: 'name' };
export const integer = (name: string): TableColumn => ({ name, type: 'integer' });
export const boolean = (name: string): TableColumn => ({ name, type: 'boolean' });
/** Shown with `-o wide` only. */
export const wide = (name: string, type: TableColumn['type'] = 'string'): TableColumn => ({ name, type, priority: 1 });

/** A table whose columns are strings unless said otherwise. Cells come in the same order; the server always fills in the wide ones. */
export function defineTable<T>(
  columns: readonly (string | TableColumn)[],
  row: (object: DeepReadonly<T>, nowMs: number) => readonly Json[],
): TableDefinition<T> {
  return { columns: columns.map((c) => (typeof c === 'string' ? { name: c, type: 'string' } : c)), row };
}

export const nameOf = (object: DeepReadonly<KubeObject>): string => object.metadata?.name ?? '';
export const isDeleting = (object: DeepReadonly<KubeObject>): boolean => object.metadata?.deletionTimestamp !== undefined;

/** Time since creation. */
export const age = (object: DeepReadonly<{ metadata?: ObjectMeta }>, nowMs: number): string =>
  since(object.metadata?.creationTimestamp, nowMs);

/** `5m30s` since an RFC 3339 time; `<unknown>` when there is none. */
export const since = (time: string | null | undefined, nowMs: number): string =>
  time === undefined || time === null || time === '' ? '<unknown>' : formatDuration(nowMs - Date.parse(time));

/** Two units at most, and only one where the second says little: `45s`, `5m30s`, `12m`, `3h5m`, `30h`, `3d4h`, `2y15d`. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  // Clocks of two machines may differ by a second or two.
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return twoUnits(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return twoUnits(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (days < 8) return twoUnits(days, 'd', hours % 24, 'h');
  if (days < 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  return days < 365 * 8 ? twoUnits(years, 'y', days % 365, 'd') : `${years}y`;
}

const twoUnits = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  `${large}${largeUnit}${small === 0 ? '' : `${small}${smallUnit}`}`;

export const orNone = (text: string | undefined): string => (text === undefined || text === '' ? '<none>' : text);

/** `a=b,c=d`, sorted. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.keys(labels ?? {})
    .sort()
    .map((key) => `${key}=${labels?.[key] ?? ''}`);
  return orNone(pairs.join(','));
}

/** A selector in the notation of `kubectl get -l`, ordered by key; '' when it selects everything or nothing. */
export function labelSelectorText(selector: DeepReadonly<LabelSelector> | undefined): string {
  const parts: { key: string; text: string }[] = [];
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) parts.push({ key, text: `${key}=${value}` });
  for (const { key, operator, values } of selector?.matchExpressions ?? []) {
    const list = (values ?? []).toSorted().join(',');
    const texts: Readonly<Record<string, string>> = {
      In: `${key} in (${list})`,
      NotIn: `${key} notin (${list})`,
      Exists: key,
      DoesNotExist: `!${key}`,
    };
    parts.push({ key, text: texts[operator] ?? key });
  }
  return parts
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map((p) => p.text)
    .join(',');
}
export const formatLabelSelector = (selector: DeepReadonly<LabelSelector> | undefined): string => orNone(labelSelectorText(selector));

interface NamedImage {
  readonly name: string;
  readonly image?: string;
}
/** The two wide columns of workloads: container names and images. */
export const containerCells = (containers: readonly NamedImage[] | undefined): [string, string] => [
  (containers ?? []).map((c) => c.name).join(','),
  (containers ?? []).map((c) => c.image ?? '').join(','),
];
export const containerColumns: readonly TableColumn[] = [wide('Containers'), wide('Images')];
