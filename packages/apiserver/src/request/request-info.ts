import { lookupTable, badRequest, parseFieldSelector, SelectorError } from '@skiff/apimachinery';
import type { RequestInfo } from '../contract.ts';

const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize']);
const verbsWithSelectors: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection']);
const verbOfMethod = lookupTable<string>({
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
});

const slash = 47;

/** Path segments without leading and trailing slashes; empty segments in between stay, as upstream's splitPath. */
function splitPath(path: string): string[] {
  let start = 0;
  let end = path.length;
  while (start < end && path.charCodeAt(start) === slash) start++;
  while (end > start && path.charCodeAt(end - 1) === slash) end--;
  return start === end ? [] : path.slice(start, end).split('/');
}

/** Decodes the path of a URL. Throws BadRequest where it isn't valid percent-encoding. */
export function decodePath(rawPath: string): string {
  if (!rawPath.includes('%')) return rawPath;
  try {
    return decodeURIComponent(rawPath);
  } catch {
    throw badRequest(`invalid URL escape in path ${JSON.stringify(rawPath)}`);
  }
}

/** How query parameters spell a boolean: absent and `false`/`0` are false, everything else is true. */
export function queryBoolean(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value.toLowerCase() !== 'false' && value !== '0';
}

/** The value that a field selector demands for `field` by equality; undefined when it demands none or can't be parsed. */
export function requiredFieldValue(selector: string, field: string): string | undefined {
  if (selector === '') return undefined;
  try {
    return parseFieldSelector(selector).exactly(field);
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}

const isPathSegmentName = (name: string): boolean => name !== '.' && name !== '..' && !/[/%]/.test(name);

/**
 * What a request asks for, by upstream's rules (apiserver/pkg/endpoints/request). Never fails on unknown resources: routing
 * decides about those. `path` is already decoded.
 */
export function parseRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  let parts = splitPath(path);
  const prefix = parts[0];
  const grouped = prefix === 'apis';
  if (parts.length < (grouped ? 4 : 3) || (prefix !== 'api' && !grouped)) return nonResource(method, path);
  const group = grouped ? (parts[1] ?? '') : '';
  const version = parts[grouped ? 2 : 1] ?? '';
  parts = parts.slice(grouped ? 3 : 2);

  let verb = verbOfMethod[method] ?? '';
  let verbInPath = false;
  if (parts[0] === 'watch' || parts[0] === 'proxy') {
    if (parts.length < 2) throw badRequest(`unable to determine kind and namespace from url, ${path}`);
    verb = parts[0];
    verbInPath = true;
    parts = parts.slice(1);
  }

  let namespace = '';
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = parts[1] ?? '';
    if (parts.length > 2 && !namespaceSubresources.has(parts[2] ?? '')) parts = parts.slice(2);
  }

  const resource = parts[0] ?? '';
  let name = parts[1] ?? '';
  const subresource = verb === 'proxy' ? '' : (parts[2] ?? '');
  if (name === '' && verb === 'get') {
    verb = queryBoolean(query, 'watch') ? 'watch' : 'list';
    const wanted = requiredFieldValue(query.get('fieldSelector') ?? '', 'metadata.name');
    if (wanted !== undefined && isPathSegmentName(wanted)) name = wanted;
  }
  if (name === '' && verb === 'delete') verb = 'deletecollection';

  const selectable = !verbInPath && verbsWithSelectors.has(verb);
  const fieldSelector = selectable ? query.get('fieldSelector') : null;
  const labelSelector = selectable ? query.get('labelSelector') : null;
  return {
    isResourceRequest: true,
    path,
    verb,
    apiPrefix: prefix ?? '',
    group,
    version,
    namespace,
    resource,
    subresource,
    name,
    parts,
    ...(fieldSelector ? { fieldSelector } : {}),
    ...(labelSelector ? { labelSelector } : {}),
  };
}

const nonResource = (method: string, path: string): RequestInfo => ({
  isResourceRequest: false,
  path,
  verb: method.toLowerCase(),
  apiPrefix: '',
  group: '',
  version: '',
  namespace: '',
  resource: '',
  subresource: '',
  name: '',
  parts: [],
});

const longRunningSubresources: ReadonlySet<string> = new Set(['attach', 'exec', 'proxy', 'log', 'portforward']);

/** Requests that may last as long as the client likes: no deadline, and no seat in flow control. */
export const isLongRunning = (info: RequestInfo): boolean =>
  info.isResourceRequest && (info.verb === 'watch' || info.verb === 'proxy' || longRunningSubresources.has(info.subresource));
