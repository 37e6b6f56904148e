import { namespace, node, pod } from '@skiff/api';
import { formatKey, type KubeObject, notFound, type ResourceDefinition } from '@skiff/apimachinery';
import type { ApiResponse, ObjectAccess, ResourceEndpoint, ResourceRegistry } from '../src/contract.ts';

const json = (code: number, value: unknown): ApiResponse => ({
  code,
  contentType: 'application/json',
  body: [Buffer.from(JSON.stringify(value))],
});

/** Objects in a map: enough of a registry to try the server around it. `pods` in namespace `big` are a long list. */
export function createStubRegistry(bigListBytes = 0): ResourceRegistry & { readonly watches: Set<string> } {
  const kinds = new Map<ResourceDefinition, Map<string, KubeObject>>();
  const of = (d: ResourceDefinition): Map<string, KubeObject> => {
    const found = kinds.get(d) ?? new Map<string, KubeObject>();
    kinds.set(d, found);
    return found;
  };
  const listeners = new Map<
    ResourceDefinition,
    ((key: { namespace: string; name: string }, o: KubeObject | undefined, old: KubeObject | undefined) => void)[]
  >();
  const put = (d: ResourceDefinition, o: KubeObject): void => {
    const key = { namespace: o.metadata?.namespace ?? '', name: o.metadata?.name ?? '' };
    const old = of(d).get(formatKey(key));
    of(d).set(formatKey(key), o);
    for (const on of listeners.get(d) ?? []) on(key, o, old);
  };
  const objects = {
    get: (d: ResourceDefinition, ns: string, name: string) => of(d).get(formatKey({ namespace: ns, name })),
    list: (d: ResourceDefinition) => [...of(d).values()],
    subscribe: (d: ResourceDefinition, on: never) => {
      listeners.set(d, [...(listeners.get(d) ?? []), on]);
      return { [Symbol.dispose]: () => undefined };
    },
    read: (d: ResourceDefinition, ns: string, name: string) => Promise.resolve(of(d).get(formatKey({ namespace: ns, name }))),
    create: (d: ResourceDefinition, o: KubeObject) => {
      put(d, { ...o, metadata: { ...o.metadata, uid: `uid-${o.metadata?.name ?? ''}` } });
      return Promise.resolve(o);
    },
    update: (d: ResourceDefinition, ns: string, name: string, change: (draft: KubeObject) => KubeObject | undefined) => {
      const draft = structuredClone(of(d).get(formatKey({ namespace: ns, name })) ?? {});
      const changed = change(draft);
      if (changed !== undefined) put(d, changed);
      return Promise.resolve(changed);
    },
    delete: () => Promise.resolve(),
  } as unknown as ObjectAccess;

  const watches = new Set<string>();
  const endpoints = new Map<string, ResourceEndpoint>();
  for (const definition of [pod, namespace, node] as readonly ResourceDefinition[]) {
    endpoints.set(`${definition.group}/${definition.version}/${definition.plural}/`, {
      definition,
      subresource: '',
      get: async (r) => {
        const found = objects.get(definition, definition.scope === 'Cluster' ? '' : r.info.namespace, r.info.name);
        if (found === undefined) throw notFound({ group: '', resource: definition.plural }, r.info.name);
        return json(200, found);
      },
      list: async (r) => {
        if (r.info.namespace !== 'big') return json(200, { kind: definition.listKind, items: objects.list(definition) });
        const piece = Buffer.alloc(256 * 1024, 120);
        return {
          code: 200,
          contentType: 'application/json',
          body: Array.from({ length: Math.ceil(bigListBytes / piece.length) }, () => piece),
        };
      },
      create: async (r) => {
        if (r.body.length === 0) throw new Error('no body');
        r.warnings.push('this is a "stub"');
        return json(201, { bytes: r.body.length, contentType: r.contentType });
      },
      watch: async (r, open) => {
        const sink = open('application/json');
        watches.add(r.info.namespace);
        sink.write(Buffer.from('{"type":"ADDED","object":{}}\n'));
        await new Promise<void>((resolve) => r.signal.addEventListener('abort', () => resolve(), { once: true }));
        watches.delete(r.info.namespace);
        sink.end();
      },
    });
  }
  return {
    watches,
    storageStatistics: () => [],
    extent: () => ({ value: undefined, objects: 0, averageBytes: 0 }),
    objects,
    lookup: (group, version, resource, sub) => endpoints.get(`${group}/${version}/${resource}/${sub}`),
    definitions: () => [pod, namespace, node] as readonly ResourceDefinition[],
    serveCustom: () => undefined,
    members: {
      list: () => [],
      subscribe: () => ({ [Symbol.dispose]: () => undefined }),
      join: (_, o) => new Promise((resolve) => o.signal.addEventListener('abort', () => resolve(), { once: true })),
    },
    ready: () => Promise.resolve(),
    run: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
  };
}
