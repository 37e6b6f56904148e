import { formatGroupVersion, type ObjectKey, type ResourceRef } from '@skiff/apimachinery';
import type { ListOptions, WatchOptions } from './contract.ts';

type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** `/api/v1/namespaces/ns/pods/name/status`. Without a namespace a namespaced resource means all namespaces. */
export function resourcePath(
  r: ResourceRef,
  o: { namespace?: string | undefined; name?: string; subresource?: string | undefined } = {},
): string {
  const parts = [r.group === '' ? '/api' : '/apis', formatGroupVersion(r.group, r.version)];
  if (r.scope === 'Namespaced' && o.namespace !== undefined && o.namespace !== '')
    parts.push('namespaces', encodeURIComponent(o.namespace));
  parts.push(r.plural);
  if (o.name !== undefined) parts.push(encodeURIComponent(o.name));
  if (o.subresource !== undefined) parts.push(o.subresource);
  return parts.join('/');
}

export function objectPath(r: ResourceRef, key: ObjectKey, subresource?: string): string {
  if (key.name === '') throw new TypeError(`${r.plural}: an object without a name has no address`);
  if (r.scope === 'Namespaced' && !key.namespace) throw new TypeError(`${r.plural} "${key.name}" needs a namespace`);
  return resourcePath(r, { namespace: key.namespace, name: key.name, subresource });
}

export function formatQuery(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const v of typeof value === 'string' ? [value] : value) parameters.append(name, v);
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

export const listQuery = (o: ListOptions): Query => ({
  labelSelector: o.labelSelector || undefined,
  fieldSelector: o.fieldSelector || undefined,
  resourceVersion: o.resourceVersion || undefined,
  resourceVersionMatch: o.resourceVersionMatch,
  limit: o.limit === undefined ? undefined : String(o.limit),
  continue: o.continue || undefined,
});

export const watchQuery = (o: WatchOptions): Query => ({
  ...listQuery(o),
  watch: '1',
  allowWatchBookmarks: o.allowWatchBookmarks === true ? 'true' : undefined,
  sendInitialEvents: o.sendInitialEvents === undefined ? undefined : String(o.sendInitialEvents),
  timeoutSeconds: o.timeoutSeconds === undefined ? undefined : String(o.timeoutSeconds),
});
