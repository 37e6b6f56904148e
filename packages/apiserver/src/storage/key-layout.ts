import type { ResourceDefinition } from '@skiff/apimachinery';

/** Where objects lie in the store: `<root>/<storagePrefix>/[namespace/]name`, upstream's layout. */
export interface KeyLayout {
  /** Ends in `/`. All keys of the cluster begin with it. */
  readonly root: string;
  /** Prefix of all objects of a resource, ends in `/`. */
  prefixOf(d: Pick<ResourceDefinition, 'storagePrefix'>): string;
}

/** `keyPrefix` as upstream's --etcd-prefix: `/registry`. */
export function createKeyLayout(keyPrefix: string): KeyLayout {
  const root = `${keyPrefix.replace(/\/+$/, '')}/`;
  return {
    root,
    prefixOf: (d) => `${root}${d.storagePrefix}/`,
  };
}

/** The namespace and name in the rest of a key behind its resource's prefix. */
export function splitKey(rest: string): { namespace: string; name: string } {
  const slash = rest.indexOf('/');
  return slash < 0 ? { namespace: '', name: rest } : { namespace: rest.slice(0, slash), name: rest.slice(slash + 1) };
}
