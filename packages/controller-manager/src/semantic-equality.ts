const isRecord = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === 'object' && v !== null && !Array.isArray(v);
const absent = (v: unknown): boolean => v === undefined || v === null || (Array.isArray(v) && v.length === 0);

/** Maps whose emptiness means nothing, other than of structs such as `emptyDir: {}`. */
const mapFields: ReadonlySet<string> = new Set(['labels', 'annotations', 'nodeSelector', 'limits', 'requests', 'matchLabels']);

/** Equality of API data as Go's equality.Semantic sees it: null, absent and empty lists are one, so are absent and empty maps. */
export function semanticEqual(a: unknown, b: unknown, field = ''): boolean {
  if (absent(a) && absent(b)) return true;
  if (mapFields.has(field)) return recordsEqual(isRecord(a) ? a : {}, isRecord(b) ? b : {});
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => semanticEqual(item, b[i]));
  if (isRecord(a) && isRecord(b)) return recordsEqual(a, b);
  return a === b;
}

function recordsEqual(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  for (const key of Object.keys(a)) if (!semanticEqual(a[key], b[key], key)) return false;
  for (const key of Object.keys(b)) if (!(key in a) && !semanticEqual(undefined, b[key], key)) return false;
  return true;
}
