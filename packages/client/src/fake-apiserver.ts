import http2, { type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { StatusError, isStatusError, type Json, type JsonObject, type KubeObject } from '@skiff/apimachinery';
import { formatTime, systemClock, type Clock } from '@skiff/component-base';

/**
 * A little apiserver over real HTTP/2 (without TLS) for tests: any resource, generic verbs, watches with bookmarks and
 * initial events, merge patches, finalizers. No schema, no admission. Not part of the product.
 */
export interface FakeApiserver extends AsyncDisposable {
  readonly url: string;
  /** Requests so far: `GET /api/v1/pods?watch=1`. */
  readonly requests: readonly string[];
  /** May answer a request itself (true), break it, or let it go on. */
  intercept: ((request: { method: string; path: string; query: URLSearchParams; stream: ServerHttp2Stream }) => boolean) | undefined;
  /** Without it, sendInitialEvents is answered with 422. Default true. */
  watchList: boolean;
  readonly revision: number;
  /** Below this, watches and exact reads are answered with 410. */
  compact(): void;
  /** Ends all sessions abruptly. */
  dropConnections(): void;
  bookmark(): void;
  /** Straight into the store, without HTTP. `path` is the collection's: `/api/v1/namespaces/ns/pods`. */
  put(path: string, object: KubeObject): KubeObject;
  remove(path: string, name: string): void;
  objects(resource: string): readonly KubeObject[];
}

interface Address {
  readonly prefix: string;
  readonly namespace: string | undefined;
  readonly resource: string;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}
interface Change {
  readonly revision: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly id: string;
  readonly object: KubeObject;
  readonly old: KubeObject | undefined;
}

function parseAddress(path: string): Address | undefined {
  const parts = path
    .split('/')
    .filter((p) => p !== '')
    .map(decodeURIComponent);
  const prefix = parts[0] === 'api' ? parts.splice(0, 2) : parts[0] === 'apis' ? parts.splice(0, 3) : undefined;
  if (prefix === undefined) return undefined;
  const namespaced = parts[0] === 'namespaces' && parts.length > 2 && parts[2] !== 'status' && parts[2] !== 'finalize';
  const namespace = namespaced ? parts.splice(0, 2)[1] : undefined;
  return { prefix: prefix.join('/'), namespace, resource: parts[0] ?? '', name: parts[1], subresource: parts[2] };
}

export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: JsonObject = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (value !== undefined) result[name] = mergePatch(result[name], value);
  }
  return result;
}

const valueAt = (object: unknown, path: string): string => {
  let value: unknown = object;
  for (const part of path.split('.'))
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined;
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : String(value);
};

/** Equality requirements only. */
function matches(object: KubeObject, query: URLSearchParams): boolean {
  const every = (selector: string | null, read: (name: string) => string | undefined): boolean =>
    (selector ?? '')
      .split(',')
      .filter((s) => s !== '')
      .every((requirement) => {
        const [name, value] = requirement.split(/!=|==|=/) as [string, string | undefined];
        if (value === undefined) return name.startsWith('!') ? read(name.slice(1)) === undefined : read(name) !== undefined;
        return requirement.includes('!=') ? read(name) !== value : read(name) === value;
      });
  return (
    every(query.get('labelSelector'), (name) => object.metadata?.labels?.[name]) &&
    every(query.get('fieldSelector'), (name) => valueAt(object, name))
  );
}

export async function startFakeApiserver(o: { clock?: Clock } = {}): Promise<FakeApiserver> {
  const clock = o.clock ?? systemClock;
  const objects = new Map<string, KubeObject>();
  const changes: Change[] = [];
  const watchers = new Set<(change: Change | 'bookmark') => void>();
  const sessions = new Set<ServerHttp2Session>();
  const requests: string[] = [];
  let revision = 100;
  let compacted = 0;

  const collection = (a: Address): string => `${a.prefix}/${a.resource}/`;
  const idOf = (a: Address, namespace: string | undefined, name: string): string => `${collection(a)}${namespace ?? ''}/${name}`;
  const commit = (id: string, type: Change['type'], object: KubeObject): KubeObject => {
    revision += 1;
    const old = objects.get(id);
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    if (type === 'DELETED') objects.delete(id);
    else objects.set(id, stored);
    const change = { revision, type, id, object: stored, old };
    changes.push(change);
    for (const watcher of watchers) watcher(change);
    return stored;
  };
  const create = (a: Address, body: KubeObject): KubeObject => {
    const name = body.metadata?.name ?? `${body.metadata?.generateName ?? ''}${randomUUID().slice(0, 5)}`;
    const id = idOf(a, a.namespace, name);
    if (objects.has(id)) throw new StatusError('AlreadyExists', `${a.resource} "${name}" already exists`);
    const metadata = {
      ...body.metadata,
      name,
      ...(a.namespace === undefined ? {} : { namespace: a.namespace }),
      uid: body.metadata?.uid ?? randomUUID(),
      creationTimestamp: body.metadata?.creationTimestamp ?? formatTime(clock.now()),
      generation: 1,
    };
    return commit(id, 'ADDED', { ...body, metadata });
  };
  const find = (a: Address): { id: string; object: KubeObject } => {
    const id = idOf(a, a.namespace, a.name ?? '');
    const object = objects.get(id);
    if (object === undefined) throw new StatusError('NotFound', `${a.resource} "${a.name ?? ''}" not found`);
    return { id, object };
  };
  const replace = (a: Address, body: KubeObject): KubeObject => {
    const { id, object } = find(a);
    const version = body.metadata?.resourceVersion;
    if (version !== undefined && version !== object.metadata?.resourceVersion)
      throw new StatusError('Conflict', `${a.resource} "${a.name ?? ''}": the object has been modified`);
    const keep = object.metadata ?? {};
    const specChanged = JSON.stringify((object as { spec?: unknown }).spec) !== JSON.stringify((body as { spec?: unknown }).spec);
    const next: KubeObject & { status?: unknown; spec?: unknown } =
      a.subresource === 'status' ? Object.assign({ ...object }, { status: (body as { status?: unknown }).status }) : { ...body };
    next.metadata = {
      ...(a.subresource === 'status' ? keep : body.metadata),
      ...Object.fromEntries(Object.entries(keep).filter(([name]) => ['name', 'namespace', 'uid', 'creationTimestamp'].includes(name))),
      ...(keep.deletionTimestamp === undefined ? {} : { deletionTimestamp: keep.deletionTimestamp }),
      generation: (keep.generation ?? 1) + (a.subresource === undefined && specChanged ? 1 : 0),
    };
    const { resourceVersion: _next, ...nextMetadata } = next.metadata;
    const { resourceVersion: _old, ...oldMetadata } = keep;
    if (JSON.stringify({ ...next, metadata: sorted(nextMetadata) }) === JSON.stringify({ ...object, metadata: sorted(oldMetadata) }))
      return object;
    if (next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0) return commit(id, 'DELETED', next);
    return commit(id, 'MODIFIED', next);
  };
  const remove = (
    a: Address,
    options: { propagationPolicy?: string; preconditions?: { uid?: string; resourceVersion?: string } },
  ): KubeObject => {
    const { id, object } = find(a);
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (
      (uid !== undefined && uid !== object.metadata?.uid) ||
      (resourceVersion !== undefined && resourceVersion !== object.metadata?.resourceVersion)
    )
      throw new StatusError('Conflict', 'Precondition failed');
    const finalizers = [...(object.metadata?.finalizers ?? [])];
    if (options.propagationPolicy === 'Foreground') finalizers.push('foregroundDeletion');
    if (options.propagationPolicy === 'Orphan') finalizers.push('orphan');
    const spec = (object as { spec?: { finalizers?: string[] } }).spec;
    if (finalizers.length === 0 && (a.resource !== 'namespaces' || (spec?.finalizers ?? []).length === 0))
      return commit(id, 'DELETED', object);
    return commit(id, 'MODIFIED', {
      ...object,
      metadata: {
        ...object.metadata,
        finalizers: [...new Set(finalizers)],
        deletionTimestamp: object.metadata?.deletionTimestamp ?? formatTime(clock.now()),
      },
    });
  };
  const select = (a: Address, query: URLSearchParams): KubeObject[] =>
    [...objects]
      .filter(
        ([id, object]) =>
          id.startsWith(collection(a)) &&
          (a.namespace === undefined || object.metadata?.namespace === a.namespace) &&
          matches(object, query),
      )
      .map(([, object]) => object);

  const watch = (a: Address, query: URLSearchParams, stream: ServerHttp2Stream): void => {
    const from = Number(query.get('resourceVersion') ?? '0');
    const initial = query.get('sendInitialEvents') === 'true';
    if (initial && !fake.watchList) throw new StatusError('Invalid', 'sendInitialEvents is forbidden');
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    const send = (type: string, object: unknown): void => void stream.write(`${JSON.stringify({ type, object })}\n`);
    if (!initial && from !== 0 && from < compacted) {
      send('ERROR', new StatusError('Expired', `too old resource version: ${from} (${compacted})`).toStatus());
      stream.end();
      return;
    }
    const inScope = (c: Change): boolean =>
      c.id.startsWith(collection(a)) && (a.namespace === undefined || c.object.metadata?.namespace === a.namespace);
    const deliver = (c: Change | 'bookmark'): void => {
      if (c === 'bookmark') return send('BOOKMARK', { metadata: { resourceVersion: String(revision) } });
      if (!inScope(c)) return;
      const now = c.type !== 'DELETED' && matches(c.object, query);
      const before = c.old !== undefined && matches(c.old, query);
      if (now) send(before ? 'MODIFIED' : 'ADDED', c.object);
      else if (before) send('DELETED', { ...c.old, metadata: { ...c.old?.metadata, resourceVersion: String(c.revision) } });
    };
    if (initial || from === 0) for (const object of select(a, query)) send('ADDED', object);
    else for (const change of changes) if (change.revision > from) deliver(change);
    if (initial)
      send('BOOKMARK', { metadata: { resourceVersion: String(revision), annotations: { 'k8s.io/initial-events-end': 'true' } } });
    watchers.add(deliver);
    stream.once('close', () => watchers.delete(deliver));
  };

  const list = (a: Address, query: URLSearchParams): unknown => {
    const limit = Number(query.get('limit') ?? '0');
    const token = query.get('continue');
    const [start, at] = token === null ? [0, revision] : (JSON.parse(Buffer.from(token, 'base64').toString()) as [number, number]);
    if (at < compacted) throw new StatusError('Expired', 'the provided continue parameter is too old');
    const all = select(a, query);
    const items = limit === 0 ? all : all.slice(start, start + limit);
    const more = start + items.length < all.length;
    return {
      kind: 'List',
      apiVersion: 'v1',
      metadata: {
        resourceVersion: String(at),
        ...(more ? { continue: Buffer.from(JSON.stringify([start + items.length, at])).toString('base64') } : {}),
      },
      items,
    };
  };

  const handle = (
    method: string,
    url: URL,
    o: { body: JsonObject | undefined; stream: ServerHttp2Stream },
  ): { code: number; body: unknown } | undefined => {
    const a = parseAddress(url.pathname);
    if (a === undefined || a.resource === '') throw new StatusError('NotFound', 'the server could not find the requested resource');
    const body = (o.body ?? {}) as KubeObject;
    if (method === 'GET' && a.name !== undefined) return { code: 200, body: find(a).object };
    if (method === 'GET' && url.searchParams.get('watch') !== null) {
      watch(a, url.searchParams, o.stream);
      return undefined;
    }
    if (method === 'GET') return { code: 200, body: list(a, url.searchParams) };
    if (method === 'POST' && a.name === undefined) return { code: 201, body: create(a, body) };
    if (method === 'PUT') return { code: 200, body: replace(a, body) };
    if (method === 'PATCH')
      return { code: 200, body: replace(a, mergePatch(find(a).object as unknown as Json, o.body ?? {}) as KubeObject) };
    if (method === 'DELETE' && a.name !== undefined) return { code: 200, body: remove(a, body as Parameters<typeof remove>[1]) };
    if (method === 'DELETE') {
      for (const object of select(a, url.searchParams))
        remove({ ...a, namespace: object.metadata?.namespace, name: object.metadata?.name }, body as Parameters<typeof remove>[1]);
      return { code: 200, body: { kind: 'Status', apiVersion: 'v1', status: 'Success' } };
    }
    throw new StatusError('MethodNotAllowed', `${method} is not supported`);
  };

  const server: Http2Server = http2.createServer({ maxSessionMemory: 1000 });
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    const method = headers[':method'] ?? 'GET';
    const url = new URL(headers[':path'] ?? '/', 'http://fake');
    requests.push(`${method} ${headers[':path'] ?? '/'}`);
    stream.on('error', () => undefined);
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      if (stream.destroyed || fake.intercept?.({ method, path: url.pathname, query: url.searchParams, stream }) === true) return;
      try {
        const text = Buffer.concat(chunks).toString();
        const answer = handle(method, url, { body: text === '' ? undefined : (JSON.parse(text) as JsonObject), stream });
        if (answer === undefined) return;
        stream.respond({ ':status': answer.code, 'content-type': 'application/json' });
        stream.end(JSON.stringify(answer.body));
      } catch (error) {
        const status = isStatusError(error) ? error : new StatusError('InternalError', String(error));
        stream.respond({ ':status': status.code, 'content-type': 'application/json' });
        stream.end(JSON.stringify(status.toStatus()));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const fake: FakeApiserver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    intercept: undefined,
    watchList: true,
    get revision() {
      return revision;
    },
    compact: () => {
      compacted = revision;
      changes.length = 0;
    },
    dropConnections: () => {
      for (const session of sessions) session.destroy();
    },
    bookmark: () => {
      for (const watcher of watchers) watcher('bookmark');
    },
    put: (path, object) => {
      const a = parseAddress(`${path}/${object.metadata?.name ?? ''}`);
      if (a === undefined) throw new TypeError(`no such path: ${path}`);
      const { name: _name, ...atCollection } = a;
      return objects.has(idOf(a, a.namespace, a.name ?? '')) ? replace(a, object) : create({ ...atCollection, name: undefined }, object);
    },
    remove: (path, name) => {
      const a = parseAddress(`${path}/${name}`);
      if (a === undefined) throw new TypeError(`no such path: ${path}`);
      remove(a, {});
    },
    objects: (resource) => [...objects].filter(([id]) => id.includes(`/${resource}/`)).map(([, object]) => object),
    [Symbol.asyncDispose]: async () => {
      for (const session of sessions) session.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return fake;
}

const sorted = (o: object): object => Object.fromEntries(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)));
