import { formatGroupVersion, type JsonObject, type ResourceDefinition } from '@skiff/apimachinery';

/** Upstream's order of groups in discovery (group priorities); groups that aren't here follow by name. */
const groupOrder: readonly string[] = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io',
];

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
  /** By plural name. */
  readonly definitions: readonly ResourceDefinition[];
}
export interface ServedGroup {
  readonly group: string;
  /** Preferred first. */
  readonly versions: readonly ServedVersion[];
}

/** Definitions by group and version, in the order in which discovery shows them. */
export function groupDefinitions(definitions: readonly ResourceDefinition[]): readonly ServedGroup[] {
  const groups = new Map<string, Map<string, ResourceDefinition[]>>();
  for (const d of definitions) {
    const versions = groups.get(d.group) ?? new Map<string, ResourceDefinition[]>();
    groups.set(d.group, versions);
    versions.set(d.version, [...(versions.get(d.version) ?? []), d]);
  }
  const position = (group: string): number => {
    const at = groupOrder.indexOf(group);
    return at < 0 ? groupOrder.length : at;
  };
  return [...groups]
    .sort(([a], [b]) => position(a) - position(b) || byName(a, b))
    .map(([group, versions]) => ({
      group,
      versions: [...versions]
        .sort(([a], [b]) => compareVersions(a, b))
        .map(([version, list]) => ({ version, definitions: list.sort((a, b) => byName(a.plural, b.plural)) })),
    }));
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
  groups: groups.filter((g) => g.group !== '').map(apiGroup),
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
        versions: g.versions.map((v) => ({ version: v.version, resources: v.definitions.map(discoveredResource), freshness: 'Current' })),
      })),
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
