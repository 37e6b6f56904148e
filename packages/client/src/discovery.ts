import { isStatusError, parseGroupVersion, type ResourceRef } from '@skiff/apimachinery';
import type { Client } from './contract.ts';

export interface DiscoveredResource extends ResourceRef {
  readonly verbs: readonly string[];
}
export interface Discovery {
  /** Each resource in its group's preferred version, or in the first one that has it. No subresources. */
  readonly resources: readonly DiscoveredResource[];
  /** Group versions whose resources are not known now: an aggregated apiserver that doesn't answer. `group/version` → why. */
  readonly failures: ReadonlyMap<string, string>;
}

interface ApiResource {
  name: string;
  kind: string;
  namespaced: boolean;
  verbs: readonly string[];
  group?: string;
  version?: string;
}
interface AggregatedResource {
  resource: string;
  scope: 'Namespaced' | 'Cluster';
  verbs: readonly string[];
  responseKind?: { kind?: string };
}
interface AggregatedGroup {
  metadata?: { name?: string };
  versions?: readonly { version: string; freshness?: string; resources?: readonly AggregatedResource[] }[];
}
interface ApiGroup {
  name: string;
  versions: readonly { version: string }[];
  preferredVersion?: { version: string };
}

const aggregatedAccept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

async function getJson(client: Client, path: string, o: { signal?: AbortSignal | undefined; accept?: string }): Promise<unknown> {
  const answer = await client.request({
    method: 'GET',
    path,
    ...(o.accept === undefined ? {} : { headers: { accept: o.accept } }),
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  });
  if (answer.code >= 400) throw new Error(`GET ${path}: the server answered with code ${answer.code}`);
  return JSON.parse(answer.body.toString('utf8')) as unknown;
}

const isAggregated = (document: unknown): document is { items?: readonly AggregatedGroup[] } =>
  typeof document === 'object' && document !== null && 'kind' in document && document.kind === 'APIGroupDiscoveryList';

/** What the server serves now. One request for each of /api and /apis where it has aggregated discovery. Throws if /api or /apis fails. */
export async function discoverResources(client: Client, signal?: AbortSignal): Promise<Discovery> {
  const found = new Map<string, DiscoveredResource>();
  const failures = new Map<string, string>();
  const add = (resource: DiscoveredResource): void => {
    const id = `${resource.group}/${resource.plural}`;
    if (!resource.plural.includes('/') && !found.has(id)) found.set(id, resource);
  };
  for (const root of ['/api', '/apis']) {
    const document = await getJson(client, root, { signal, accept: aggregatedAccept });
    if (isAggregated(document)) addAggregated(document.items ?? [], add, failures);
    else await addLegacy({ client, root, document, signal }, add, failures);
  }
  return { resources: [...found.values()], failures };
}

function addAggregated(groups: readonly AggregatedGroup[], add: (r: DiscoveredResource) => void, failures: Map<string, string>): void {
  for (const item of groups) {
    const group = item.metadata?.name ?? '';
    for (const { version, freshness, resources } of item.versions ?? []) {
      if (freshness === 'Stale') failures.set(`${group}/${version}`, `stale GroupVersion discovery: ${group}/${version}`);
      for (const r of resources ?? [])
        add({ group, version, kind: r.responseKind?.kind ?? '', plural: r.resource, scope: r.scope, verbs: r.verbs });
    }
  }
}

async function addLegacy(
  from: { client: Client; root: string; document: unknown; signal: AbortSignal | undefined },
  add: (r: DiscoveredResource) => void,
  failures: Map<string, string>,
): Promise<void> {
  const document = from.document as { versions?: readonly string[]; groups?: readonly ApiGroup[] };
  const groupVersions =
    from.root === '/api'
      ? (document.versions ?? [])
      : (document.groups ?? []).flatMap((g) => {
          const versions = g.versions.map((v) => v.version);
          const preferred = g.preferredVersion?.version;
          const ordered = preferred === undefined ? versions : [preferred, ...versions.filter((v) => v !== preferred)];
          return ordered.map((v) => `${g.name}/${v}`);
        });
  for (const groupVersion of groupVersions) {
    try {
      const list = (await getJson(from.client, `${from.root}/${groupVersion}`, { signal: from.signal })) as {
        resources?: readonly ApiResource[];
      };
      const { group, version } = parseGroupVersion(groupVersion);
      for (const r of list.resources ?? [])
        add({ group, version, kind: r.kind, plural: r.name, scope: r.namespaced ? 'Namespaced' : 'Cluster', verbs: r.verbs });
    } catch (error) {
      if (from.signal?.aborted === true || isStatusError(error)) throw error;
      failures.set(groupVersion, error instanceof Error ? error.message : String(error));
    }
  }
}
