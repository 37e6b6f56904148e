import type { ExtensionVersion } from '../aggregation/extension-documents.ts';
import { type Priority, priorityOf } from '../aggregation/priorities.ts';
import { formatGroupVersion, type JsonObject, type ResourceDefinition } from '@skiff/apimachinery';

const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** GA before beta before alpha, higher numbers first, other names last (KEP-less, as apimachinery's version priority). */
export function compareVersions(a: string, b: string): number {
  const rank = (v: string): readonly [number, number, number] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(v);
    if (match === null) return [0, 0, 0];
    return [match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1, Number(match[1]), Number(match[3] ?? 0)];
  };
  const [x, y] = [rank(a), rank(b)];
  return y[0] - x[0] || y[1] - x[1] || y[2] - x[2] || byName(a, b);
}

export interface ServedVersion {
  readonly version: string;
  /** By plural name; none where another apiserver serves it. */
  readonly definitions: readonly ResourceDefinition[];
  readonly extension?: ExtensionVersion;
}
export interface ServedGroup {
  readonly group: string;
  /** Preferred first. */
  readonly versions: readonly ServedVersion[];
  /** The first of its APIServices' names, which decides among groups of one priority. */
  readonly firstName: string;
  readonly priority: number;
}

/** What is known beside the definitions. */
export interface DiscoverySources {
  /** As its APIService says; undefined: it has none. */
  priorityOf(group: string, version: string): Priority | undefined;
  /** Group versions of other apiservers. They come before those of this server with the same name. */
  extensions(): readonly ExtensionVersion[];
}

const localOnly: DiscoverySources = { priorityOf: () => undefined, extensions: () => [] };

/** Group versions in the order in which discovery shows them: by priority, then groups by name and versions by their kind of version. */
export function groupDefinitions(
  definitions: readonly ResourceDefinition[],
  sources: DiscoverySources = localOnly,
): readonly ServedGroup[] {
  const groups = new Map<string, Map<string, ResourceDefinition[]>>();
  const versionsOf = (group: string): Map<string, ResourceDefinition[]> => {
    const versions = groups.get(group) ?? new Map<string, ResourceDefinition[]>();
    groups.set(group, versions);
    return versions;
  };
  for (const d of definitions) {
    const versions = versionsOf(d.group);
    versions.set(d.version, [...(versions.get(d.version) ?? []), d]);
  }
  const extensions = new Map(sources.extensions().map((e) => [`${e.group}/${e.version}`, e]));
  for (const e of extensions.values()) versionsOf(e.group).set(e.version, []);
  return [...groups]
    .map(([group, versions]): ServedGroup => {
      const all = [...versions].map(([version, list]) => {
        const custom = list.length > 0 && list.every((d) => d.custom !== undefined);
        const priority = sources.priorityOf(group, version) ?? priorityOf(group, version, custom);
        const extension = extensions.get(`${group}/${version}`);
        const served: ServedVersion = {
          version,
          definitions: list.sort((a, b) => byName(a.plural, b.plural)),
          ...(extension === undefined ? {} : { extension }),
        };
        return { served, priority };
      });
      const priority = Math.max(...all.map((v) => v.priority.group));
      const first = all.filter((v) => v.priority.group === priority).map((v) => `${v.served.version}.${group}`);
      return {
        group,
        versions: all
          .sort((a, b) => b.priority.version - a.priority.version || compareVersions(a.served.version, b.served.version))
          .map((v) => v.served),
        firstName: first.sort(byName)[0] ?? '',
        priority,
      };
    })
    .sort((a, b) => b.priority - a.priority || byName(a.group, b.group));
}

/** meta.k8s.io/v1 APIResourceList of one group version. */
export function apiResourceList(group: string, served: ServedVersion): JsonObject {
  const resources: JsonObject[] = [];
  for (const d of served.definitions) {
    const namespaced = d.scope === 'Namespaced';
    resources.push({
      name: d.plural,
      singularName: d.singular,
      namespaced,
      kind: d.kind,
      verbs: [...d.verbs],
      ...(d.shortNames === undefined || d.shortNames.length === 0 ? {} : { shortNames: [...d.shortNames] }),
      ...(d.categories === undefined || d.categories.length === 0 ? {} : { categories: [...d.categories] }),
      ...(d.storageVersionHash === undefined ? {} : { storageVersionHash: d.storageVersionHash }),
    });
    for (const [name, sub] of Object.entries(d.subresources ?? {})) {
      resources.push({
        name: `${d.plural}/${name}`,
        singularName: '',
        namespaced,
        ...(sub.group === undefined ? {} : { group: sub.group }),
        ...(sub.version === undefined ? {} : { version: sub.version }),
        kind: sub.kind,
        verbs: [...sub.verbs],
      });
    }
  }
  resources.sort((a, b) => byName(String(a['name']), String(b['name'])));
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: formatGroupVersion(group, served.version),
    resources,
  };
}

function apiGroup(g: ServedGroup): JsonObject {
  const versions = g.versions.map((v) => ({ groupVersion: formatGroupVersion(g.group, v.version), version: v.version }));
  return { name: g.group, versions, preferredVersion: { ...versions[0] } };
}

export const apiGroupDocument = (g: ServedGroup): JsonObject => ({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(g) });

export const apiGroupList = (groups: readonly ServedGroup[]): JsonObject => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groups
    .filter((g) => g.group !== '')
    .sort((a, b) => b.priority - a.priority || byName(a.firstName, b.firstName))
    .map(apiGroup),
});

export const apiVersions = (groups: readonly ServedGroup[], serverAddress: string): JsonObject => ({
  kind: 'APIVersions',
  versions: (groups.find((g) => g.group === '')?.versions ?? []).map((v) => v.version),
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
});

/** apidiscovery.k8s.io/v2 APIGroupDiscoveryList (KEP-3352) of the core group (`/api`) or all others (`/apis`). */
export function apiGroupDiscoveryList(groups: readonly ServedGroup[], core: boolean): JsonObject {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups
      .filter((g) => (g.group === '') === core)
      .map((g) => ({
        metadata: g.group === '' ? {} : { name: g.group },
        versions: g.versions.map(discoveredVersion),
      })),
  };
}

function discoveredVersion(v: ServedVersion): JsonObject {
  const { version, extension } = v;
  if (extension === undefined) return { version, resources: v.definitions.map(discoveredResource), freshness: 'Current' };
  const { resources, fresh } = extension;
  return {
    version,
    ...(resources === undefined || resources.length === 0 ? {} : { resources: [...resources] }),
    freshness: fresh ? 'Current' : 'Stale',
  };
}

function discoveredResource(d: ResourceDefinition): JsonObject {
  const subresources = Object.entries(d.subresources ?? {})
    .sort(([a], [b]) => byName(a, b))
    .map(([name, sub]) => ({
      subresource: name,
      responseKind: { group: sub.group ?? '', version: sub.version ?? '', kind: sub.kind },
      verbs: [...sub.verbs],
    }));
  return {
    resource: d.plural,
    responseKind: { group: '', version: '', kind: d.kind },
    scope: d.scope,
    singularResource: d.singular,
    verbs: [...d.verbs],
    ...(d.shortNames === undefined || d.shortNames.length === 0 ? {} : { shortNames: [...d.shortNames] }),
    ...(d.categories === undefined || d.categories.length === 0 ? {} : { categories: [...d.categories] }),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}
