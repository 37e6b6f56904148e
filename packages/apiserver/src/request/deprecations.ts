import { lookupTable, formatGroupVersion, type ResourceDefinition } from '@skiff/apimachinery';

interface Deprecation {
  readonly since: string;
  readonly replacement?: string;
}

/** Built-in kinds that are on their way out, by group/version/plural. */
const deprecations = lookupTable<Deprecation>({
  '/v1/componentstatuses': { since: 'v1.19' },
  '/v1/endpoints': { since: 'v1.33', replacement: 'discovery.k8s.io/v1 EndpointSlice' },
});

/** `group/version/plural` of these. */
export const deprecatedApis: ReadonlySet<string> = new Set(Object.keys(deprecations));

/** What clients of a deprecated kind are told with every answer. */
export function deprecationWarning(d: ResourceDefinition): string | undefined {
  if (d.custom !== undefined) return d.custom.deprecation;
  const found = deprecations[`${d.group}/${d.version}/${d.plural}`];
  if (found === undefined) return undefined;
  const what = `${formatGroupVersion(d.group, d.version)} ${d.kind} is deprecated in ${found.since}+`;
  return found.replacement === undefined ? what : `${what}; use ${found.replacement}`;
}
