import { node as nodes, type Node, pod as pods, type Pod } from '@skiff/api';
import {
  badRequest,
  type DeepReadonly,
  type FieldMatcher,
  type JsonObject,
  type LabelMatcher,
  notFound,
  parseFieldSelector,
  parseLabelSelector,
} from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { Extension } from '../aggregation/api-services.ts';
import type { ExtensionVersion } from '../aggregation/extension-documents.ts';
import type { ExtensionProxy } from '../aggregation/extension-proxy.ts';
import type { KubeletClient } from '../connect/kubelet-client.ts';
import type { ObjectAccess } from '../contract.ts';
import { decodePath } from '../request/request-info.ts';
import { methodNotServed, objectResponse, resourceNotServed } from '../request/responses.ts';
import { sendResponse } from '../server/respond.ts';
import type { UnsentBytes } from '../server/unsent.ts';
import {
  discoveredResources,
  metricsGroup,
  metricsList,
  metricsVersion,
  nodeMetrics,
  podMetrics,
  resourceList,
} from './metrics-objects.ts';
import { createNodeUsages, type Usage } from './node-usage.ts';

const prefix = `/apis/${metricsGroup}/${metricsVersion}`;

/** Stands for this server where an extension apiserver would be named. */
const builtIn: Extension = {
  name: `${metricsVersion}.${metricsGroup}`,
  group: metricsGroup,
  version: metricsVersion,
  service: { namespace: '', name: '', port: 0 },
  caBundle: undefined,
  insecure: false,
  available: true,
};

export const metricsDocument: ExtensionVersion = {
  group: metricsGroup,
  version: metricsVersion,
  resources: discoveredResources,
  fresh: true,
  openApiV3: undefined,
  openApiV2: undefined,
};

/**
 * What follows the group version in a path, as authorization saw it: nothing is resolved. Throws NotFound where a part is empty, `.` or `..`,
 * and BadRequest.
 */
export function partsOf(rawPath: string): readonly string[] {
  const path = decodePath(rawPath);
  if (path !== prefix && !path.startsWith(`${prefix}/`)) throw resourceNotServed();
  const parts = path.slice(prefix.length).replace(/^\/|\/$/g, '');
  if (parts === '') return [];
  const found = parts.split('/');
  if (found.some((p) => p === '' || p === '.' || p === '..')) throw resourceNotServed();
  return found;
}

interface Selection {
  readonly label: LabelMatcher;
  readonly field: FieldMatcher;
}

function selectionOf(query: URLSearchParams): Selection {
  try {
    return { label: parseLabelSelector(query.get('labelSelector') ?? ''), field: parseFieldSelector(query.get('fieldSelector') ?? '') };
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

/** Older pods are in whatever is kept of their nodes. */
const youngMs = 30_000;
const startedAfter = (p: DeepReadonly<Pod>, atMs: number): boolean =>
  p.status?.containerStatuses?.some((c) => Date.parse(c.state?.running?.startedAt ?? '') > atMs) === true;

const selects = (s: Selection, o: DeepReadonly<Node> | DeepReadonly<Pod>): boolean =>
  s.label.matches(o.metadata?.labels ?? {}) &&
  s.field.matches(
    (field) => (field === 'metadata.name' ? o.metadata?.name : field === 'metadata.namespace' ? o.metadata?.namespace : '') ?? '',
  );

/**
 * metrics.k8s.io (`kubectl top`) without anything installed: what the kubelets say when somebody asks. An APIService of that name, as
 * metrics-server brings it, takes its place.
 */
export function withMetricsApi(
  proxy: ExtensionProxy,
  deps: { objects: ObjectAccess; kubelets: KubeletClient; unsent: UnsentBytes; clock: Clock },
): ExtensionProxy {
  const { objects, clock } = deps;
  const usages = createNodeUsages(deps);
  const nodeOf = (name: string | undefined): DeepReadonly<Node> | undefined =>
    name === undefined || name === '' ? undefined : objects.get<Node>(nodes, '', name);

  const listNodes = async (chosen: readonly DeepReadonly<Node>[], signal: AbortSignal): Promise<JsonObject[]> => {
    const found = await usages.of(chosen, signal);
    return chosen.flatMap((n) => {
      const usage = found.get(n.metadata?.name ?? '');
      const made = usage === undefined ? undefined : nodeMetrics(n, usage, clock.now());
      return made === undefined ? [] : [made];
    });
  };
  const listPods = async (chosen: readonly DeepReadonly<Pod>[], signal: AbortSignal): Promise<JsonObject[]> => {
    const names = new Set(chosen.map((p) => p.spec?.nodeName ?? ''));
    const young = chosen.filter((p) => startedAfter(p, clock.now() - youngMs));
    const found: ReadonlyMap<string, Usage> = await usages.of(
      [...names].flatMap((name) => nodeOf(name) ?? []),
      signal,
      // A pod that has just started need not wait until what is known of its node grows old.
      (name, usage) => young.every((p) => p.spec?.nodeName !== name || podMetrics(p, usage, clock.now()) !== undefined),
    );
    return chosen.flatMap((p) => {
      const usage = found.get(p.spec?.nodeName ?? '');
      const made = usage === undefined ? undefined : podMetrics(p, usage, clock.now());
      return made === undefined ? [] : [made];
    });
  };
  const answer = async (path: string, query: URLSearchParams, signal: AbortSignal): Promise<JsonObject> => {
    const parts = partsOf(path);
    if (parts.length === 0) return resourceList;
    const selection = selectionOf(query);
    if (parts[0] === 'nodes' && parts.length === 1)
      return metricsList(
        'NodeMetricsList',
        await listNodes(
          objects.list<Node>(nodes).filter((n) => selects(selection, n)),
          signal,
        ),
      );
    if (parts[0] === 'nodes' && parts.length === 2) {
      const found = nodeOf(parts[1]);
      const [made] = found === undefined ? [] : await listNodes([found], signal);
      if (made === undefined) throw notFound({ group: metricsGroup, resource: 'nodemetrics' }, parts[1] ?? '');
      return made;
    }
    const [namespace, name] = parts[0] === 'namespaces' && parts[2] === 'pods' ? [parts[1], parts[3]] : [undefined, undefined];
    if (parts.length === 1 && parts[0] === 'pods')
      return metricsList(
        'PodMetricsList',
        await listPods(
          objects.list<Pod>(pods).filter((p) => selects(selection, p)),
          signal,
        ),
      );
    if (namespace !== undefined && parts.length === 3)
      return metricsList(
        'PodMetricsList',
        await listPods(
          objects.list<Pod>(pods, namespace).filter((p) => selects(selection, p)),
          signal,
        ),
      );
    if (namespace !== undefined && name !== undefined && parts.length === 4) {
      const found = objects.get<Pod>(pods, namespace, name);
      const [made] = found === undefined ? [] : await listPods([found], signal);
      if (made === undefined) throw notFound({ group: metricsGroup, resource: 'podmetrics' }, `${namespace}/${name}`);
      return made;
    }
    throw resourceNotServed();
  };

  return {
    find: (path) => proxy.find(path) ?? (path === prefix || path.startsWith(`${prefix}/`) ? builtIn : undefined),
    serve: async (x, e, r) => {
      if (e !== builtIn) return await proxy.serve(x, e, r);
      const [path = '', ...rest] = (x.request.url ?? '/').split('?');
      const query = new URLSearchParams(rest.join('?'));
      if ((x.request.method !== 'GET' && x.request.method !== 'HEAD') || query.get('watch') === 'true') throw methodNotServed();
      const body = await answer(path, query, r.signal);
      await sendResponse(x, objectResponse(200, body, { mediaType: 'json', pretty: false }), { compressible: true, unsent: deps.unsent });
    },
  };
}
