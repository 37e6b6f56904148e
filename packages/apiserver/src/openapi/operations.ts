import type { ResourceDefinition, SchemaRegistry } from '@skiff/apimachinery';
import type { ServedVersion } from '../discovery/documents.ts';
import {
  connectParameters,
  deleteCollectionParameters,
  deleteParameters,
  inPath,
  listParameters,
  logParameters,
  meta,
  nameParameter,
  namespaceParameter,
  patchTypes,
  pretty,
  query,
  writeParameters,
  type Operation,
  type Parameter,
  type PathItem,
} from './operation-model.ts';

const capitalize = (s: string): string => s.charAt(0).toUpperCase() + s.slice(1);
const decapitalize = (s: string): string => s.charAt(0).toLowerCase() + s.slice(1);

/** `rbac.authorization.k8s.io` → `RbacAuthorization`, '' → `Core`: how operation ids name groups. */
export const groupIdentifier = (group: string): string =>
  group === ''
    ? 'Core'
    : group
        .replace(/\.k8s\.io$/, '')
        .split('.')
        .map(capitalize)
        .join('');

export const groupPath = (group: string, version: string): string => (group === '' ? `/api/${version}` : `/apis/${group}/${version}`);

const sorted = (parameters: readonly Parameter[]): readonly Parameter[] =>
  parameters.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));

/** A path whose operations' common parameters stand on the path itself. */
function pathItem(path: string, shared: readonly Parameter[], operations: readonly Operation[]): PathItem {
  const [first, ...others] = operations;
  const isCommon = (p: Parameter): boolean => others.every((o) => o.parameters.some((q) => q.name === p.name && q.in === p.in));
  const common = (first?.parameters ?? []).filter(isCommon);
  const without = (o: Operation): Operation => ({
    ...o,
    parameters: sorted(o.parameters.filter((p) => !common.some((c) => c.name === p.name && c.in === p.in))),
  });
  return { path, parameters: sorted([...shared, ...common]), operations: operations.map(without) };
}

/** How the names of one definition are put together. */
interface Naming {
  /** `<verb><group version><before><Namespaced><kind><after>`. */
  readonly id: (verb: string, o?: { readonly before?: string; readonly after?: string; readonly allNamespaces?: boolean }) => string;
  readonly tag: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly schema: string;
  readonly list: string;
  /** Custom kinds have no strategic merge. */
  readonly patchTypes: readonly string[];
  readonly custom: boolean;
  /** Schema of the answer to DELETE. */
  readonly deleted: string;
}

function namingOf(d: ResourceDefinition): Naming {
  const gv = `${groupIdentifier(d.group)}${capitalize(d.version)}`;
  const scope = d.scope === 'Namespaced' ? 'Namespaced' : '';
  return {
    id: (verb, o = {}) => `${verb}${gv}${o.before ?? ''}${o.allNamespaces ? '' : scope}${d.kind}${o.after ?? ''}`,
    tag: `${decapitalize(groupIdentifier(d.group))}_${d.version}`,
    kind: { group: d.group, version: d.version, kind: d.kind },
    schema: d.schemaName,
    list: `${d.schemaName.slice(0, -d.kind.length)}${d.listKind}`,
    custom: d.custom !== undefined,
    patchTypes: d.custom === undefined ? patchTypes : patchTypes.filter((t) => !t.includes('strategic')),
    // Deleting a Namespace answers with it, but upstream's document says Status.
    deleted: d.returnsDeletedObject === true && d.kind !== 'Namespace' ? d.schemaName : `${meta}.Status`,
  };
}

const has = (d: ResourceDefinition, verb: string): boolean => d.verbs.includes(verb);

function collectionOperations(d: ResourceDefinition, n: Naming): Operation[] {
  const base = { tag: n.tag, kind: n.kind, custom: n.custom };
  const out: Operation[] = [];
  if (has(d, 'list'))
    out.push({
      ...base,
      method: 'get',
      id: n.id('list'),
      action: 'list',
      parameters: listParameters,
      responses: { 200: n.list },
      produces: 'list',
    });
  if (has(d, 'create')) {
    out.push({
      ...base,
      method: 'post',
      id: n.id('create'),
      action: 'post',
      parameters: writeParameters,
      body: { schema: n.schema, required: true },
      responses: { 200: n.schema, 201: n.schema, 202: n.schema },
      produces: 'object',
    });
  }
  if (has(d, 'deletecollection')) {
    out.push({
      ...base,
      method: 'delete',
      id: n.id('delete', { before: 'Collection' }),
      action: 'deletecollection',
      parameters: n.custom ? listParameters : deleteCollectionParameters,
      ...(n.custom ? {} : { body: { schema: `${meta}.DeleteOptions`, required: false } }),
      responses: { 200: `${meta}.Status` },
      produces: 'object',
    });
  }
  return out;
}

function objectOperations(d: { readonly verbs: readonly string[] }, n: Naming, suffix = ''): Operation[] {
  const base = { tag: n.tag, kind: n.kind, custom: n.custom };
  const out: Operation[] = [];
  const has = (verb: string): boolean => d.verbs.includes(verb);
  if (has('get'))
    out.push({
      ...base,
      method: 'get',
      id: n.id('read', { after: suffix }),
      action: 'get',
      parameters: n.custom ? [query('resourceVersion')] : [],
      responses: { 200: n.schema },
      produces: 'object',
    });
  if (has('update')) {
    out.push({
      ...base,
      method: 'put',
      id: n.id('replace', { after: suffix }),
      action: 'put',
      parameters: writeParameters,
      body: { schema: n.schema, required: true },
      responses: { 200: n.schema, 201: n.schema },
      produces: 'object',
    });
  }
  if (has('delete') && suffix === '') {
    out.push({
      ...base,
      method: 'delete',
      id: n.id('delete'),
      action: 'delete',
      parameters: deleteParameters,
      body: { schema: `${meta}.DeleteOptions`, required: false },
      responses: { 200: n.deleted, 202: n.deleted },
      produces: 'object',
    });
  }
  if (has('patch')) {
    out.push({
      ...base,
      method: 'patch',
      id: n.id('patch', { after: suffix }),
      action: 'patch',
      parameters: [...writeParameters, query('force', 'boolean')],
      body: { schema: `${meta}.Patch`, required: true, types: n.patchTypes },
      responses: n.custom ? { 200: n.schema } : { 200: n.schema, 201: n.schema },
      produces: 'object',
    });
  }
  return out;
}

const proxyMethods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'] as const;

function connectPaths(path: string, name: string, kind: string, n: Naming, shared: readonly Parameter[]): PathItem[] {
  const methods = name === 'proxy' ? proxyMethods : (['get', 'post'] as const);
  const operations = (withPath: string): Operation[] =>
    methods.map((method) => ({
      method,
      id: n.id('connect', { before: capitalize(method), after: `${capitalize(name)}${withPath}` }),
      tag: n.tag,
      action: 'connect',
      kind: { group: n.kind.group, version: n.kind.version, kind },
      parameters: [],
      responses: { 200: undefined },
      produces: 'any',
    }));
  const parameters = sorted([...shared.filter((p) => p.name !== 'pretty'), ...(connectParameters[name] ?? [])]);
  const items: PathItem[] = [{ path, parameters, operations: operations('') }];
  if (name === 'proxy')
    items.push({
      path: `${path}/{path}`,
      parameters: sorted([...shared.filter((p) => p.name !== 'pretty'), inPath('path'), ...(connectParameters[name] ?? [])]),
      operations: operations('WithPath'),
    });
  return items;
}

/** The struct of a subresource's own kind: `Scale`, `Eviction`, `TokenRequest`, `Binding`. */
function subresourceSchema(registry: SchemaRegistry, group: string, version: string, kind: string, fallback: string): string {
  const short = group === '' ? 'core' : group.replace(/\.k8s\.io$/, '').replace(/\..*$/, '');
  const name = `io.k8s.api.${short}.${version}.${kind}`;
  return registry.struct(name) === undefined ? fallback : name;
}

function subresourcePaths(
  registry: SchemaRegistry,
  d: ResourceDefinition,
  objectPath: string,
  n: Naming,
  shared: readonly Parameter[],
): PathItem[] {
  const out: PathItem[] = [];
  for (const [name, sub] of Object.entries(d.subresources ?? {})) {
    const path = `${objectPath}/${name}`;
    const suffix = capitalize(name);
    if (name in connectParameters) {
      out.push(...connectPaths(path, name, sub.kind, n, shared));
      continue;
    }
    if (name === 'log') {
      const operation: Operation = {
        method: 'get',
        id: n.id('read', { after: 'Log' }),
        tag: n.tag,
        action: 'get',
        kind: n.kind,
        parameters: [],
        responses: { 200: undefined },
        produces: 'log',
      };
      out.push({ path, parameters: sorted([...shared, ...logParameters]), operations: [operation] });
      continue;
    }
    const [group, version] = [sub.group ?? d.group, sub.version ?? d.version];
    const schema = sub.kind === d.kind ? n.schema : subresourceSchema(registry, group, version, sub.kind, n.schema);
    const naming: Naming = { ...n, kind: n.custom ? n.kind : { group, version, kind: sub.kind }, schema };
    if (sub.verbs.includes('create')) {
      const operation: Operation = {
        method: 'post',
        id: n.id('create', { after: suffix }),
        tag: n.tag,
        action: 'post',
        kind: naming.kind,
        parameters: [],
        body: { schema, required: true },
        responses: { 200: schema, 201: schema, 202: schema },
        produces: 'object',
      };
      out.push({ path, parameters: sorted([...shared, ...writeParameters]), operations: [operation] });
      continue;
    }
    out.push(pathItem(path, shared, objectOperations(sub, naming, suffix)));
  }
  return out;
}

function watchPaths(d: ResourceDefinition, root: string, n: Naming): PathItem[] {
  if (!has(d, 'watch') || n.custom) return [];
  const operation = (id: string, action: 'watch' | 'watchlist'): Operation => ({
    method: 'get',
    id,
    tag: n.tag,
    action,
    kind: n.kind,
    parameters: [],
    responses: { 200: `${meta}.WatchEvent` },
    produces: 'list',
  });
  const shared = [...listParameters, pretty];
  const namespaced = d.scope === 'Namespaced';
  const scope = namespaced ? [namespaceParameter] : [];
  const base = namespaced ? `${root}/watch/namespaces/{namespace}/${d.plural}` : `${root}/watch/${d.plural}`;
  const out: PathItem[] = [
    { path: base, parameters: sorted([...shared, ...scope]), operations: [operation(n.id('watch', { after: 'List' }), 'watchlist')] },
    { path: `${base}/{name}`, parameters: sorted([...shared, ...scope, nameParameter]), operations: [operation(n.id('watch'), 'watch')] },
  ];
  if (namespaced) {
    const all = n.id('watch', { after: 'ListForAllNamespaces', allNamespaces: true });
    out.push({ path: `${root}/watch/${d.plural}`, parameters: sorted(shared), operations: [operation(all, 'watchlist')] });
  }
  return out;
}

/** All paths of one definition. */
export function resourcePaths(registry: SchemaRegistry, d: ResourceDefinition): PathItem[] {
  const root = groupPath(d.group, d.version);
  const n = namingOf(d);
  const namespaced = d.scope === 'Namespaced';
  const scope = namespaced ? [namespaceParameter] : [];
  const collection = namespaced ? `${root}/namespaces/{namespace}/${d.plural}` : `${root}/${d.plural}`;
  const out: PathItem[] = [];
  const onCollection = collectionOperations(d, n);
  if (onCollection.length > 0) out.push(pathItem(collection, [...scope, pretty], onCollection));
  if (namespaced && has(d, 'list')) {
    const id = n.id('list', { after: 'ForAllNamespaces', allNamespaces: true });
    const operation: Operation = {
      method: 'get',
      id,
      tag: n.tag,
      action: 'list',
      kind: n.kind,
      custom: n.custom,
      parameters: [],
      responses: { 200: n.list },
      produces: 'list',
    };
    out.push({ path: `${root}/${d.plural}`, parameters: sorted([...listParameters, pretty]), operations: [operation] });
  }
  const shared = sorted([...scope, nameParameter, pretty]);
  const onObject = objectOperations(d, n);
  if (onObject.length > 0) out.push(pathItem(`${collection}/{name}`, shared, onObject));
  out.push(...subresourcePaths(registry, d, `${collection}/{name}`, n, shared), ...watchPaths(d, root, n));
  return out;
}

/** Documents of custom kinds tell of these alone. */
export const isCustomGroup = (served: ServedVersion): boolean =>
  served.definitions.length > 0 && served.definitions.every((d) => d.custom !== undefined);

/** The paths of a group version: its resource list and its resources. */
export function groupVersionPaths(registry: SchemaRegistry, group: string, served: ServedVersion): PathItem[] {
  const root = groupPath(group, served.version);
  const identifier = groupIdentifier(group);
  const list: Operation = {
    method: 'get',
    id: `get${identifier}${capitalize(served.version)}APIResources`,
    tag: `${decapitalize(identifier)}_${served.version}`,
    parameters: [],
    responses: { 200: `${meta}.APIResourceList` },
    produces: 'object',
  };
  const items = [
    ...(isCustomGroup(served) ? [] : [{ path: `${root}/`, parameters: [], operations: [list] }]),
    ...served.definitions.flatMap((d) => resourcePaths(registry, d)),
  ];
  return items.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** One discovery document. */
export const documentPath = (
  path: string,
  id: string,
  tag: string,
  schema: string | undefined,
  produces: Operation['produces'] = 'object',
): PathItem => ({
  path: `${path}/`,
  parameters: [],
  operations: [{ method: 'get', id, tag, parameters: [], responses: { 200: schema }, produces }],
});
