import { coreDescriptions } from './core.ts';
import { groupDescriptions } from './groups.ts';
import { metaDescriptions } from './meta.ts';
import { podDescriptions } from './pods.ts';

/** Types whose fields mean what those of another one do. */
const likeAnother: Readonly<Record<string, string>> = { EphemeralContainer: 'Container', PodSecurityContext: 'SecurityContext' };

let known: ReadonlyMap<string, string> | undefined;

/** `Type`, `Type.field` or `.field` and its description, a line each. */
function parse(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const text of [metaDescriptions, podDescriptions, coreDescriptions, groupDescriptions]) {
    for (const line of text.split('\n')) {
      const colon = line.indexOf(': ');
      if (colon > 0) found.set(line.slice(0, colon), line.slice(colon + 2));
    }
  }
  return found;
}

/**
 * What a struct, or a field of it, is for: one line for OpenAPI and `kubectl explain` (docs/decisions/descriptions.md). `goName` is the
 * name of its Go type. undefined: nothing has been written about it.
 */
export function describeApi(goName: string, field?: string): string | undefined {
  known ??= parse();
  if (field === undefined) return known.get(goName);
  const kin = likeAnother[goName];
  return known.get(`${goName}.${field}`) ?? (kin && known.get(`${kin}.${field}`)) ?? known.get(`.${field}`);
}
