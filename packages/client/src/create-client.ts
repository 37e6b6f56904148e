import {
  formatGroupVersion,
  keyOf,
  parseKey,
  StatusError,
  type KubeList,
  type KubeObject,
  type ObjectKey,
  type ResourceRef,
  type Status,
} from '@skiff/apimachinery';
import { silentLogger, systemClock, type Clock, type Logger } from '@skiff/component-base';
import type { ClientConfig } from './client-config.ts';
import type { Client, DeleteOptions, ListOptions, PatchType, WriteOptions } from './contract.ts';
import type { HttpResponse } from './http2-connection.ts';
import { authorize, impersonate, retryAfter, retryUnanswered } from './middleware.ts';
import { formatQuery, listQuery, objectPath, resourcePath, watchQuery } from './resource-path.ts';
import { createServerPool, type ServerPool } from './server-pool.ts';
import { createTransport, type Middleware, type Send } from './transport.ts';
import { decodeWatch } from './watch-stream.ts';

const patchContentTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const satisfies Record<PatchType, string>;

const partialMetadata = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
const partialMetadataList = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

async function readAll(response: HttpResponse): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** The Status of an error answer; one is made up where the body is none (proxies answer in plain text). */
export function statusErrorOf(code: number, body: Buffer): StatusError {
  const text = body.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status')
      return StatusError.fromStatus(value as Partial<Status>);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return new StatusError('', text.trim() || `the server answered with code ${code}`, { code });
}

const deleteBody = (o: DeleteOptions): unknown => ({
  kind: 'DeleteOptions',
  apiVersion: 'v1',
  ...(o.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: o.gracePeriodSeconds }),
  ...(o.propagationPolicy === undefined ? {} : { propagationPolicy: o.propagationPolicy }),
  ...(o.preconditions === undefined ? {} : { preconditions: o.preconditions }),
});

const writeQuery = (o: WriteOptions | undefined): Readonly<Record<string, string | undefined>> => ({
  fieldManager: o?.fieldManager,
  dryRun: o?.dryRun === true ? 'All' : undefined,
});

/**
 * A Client over HTTP/2. Does no I/O before the first call; idle sessions do not keep the process alive.
 * `servers`: a pool that others look at or change too; else the configured servers, in their order.
 * `middleware` wraps everything the client sends, outermost first (logging, metrics, faults in tests).
 */
export function createClient(
  config: ClientConfig,
  deps: { clock?: Clock; log?: Logger; middleware?: readonly Middleware[]; servers?: ServerPool } = {},
): Client {
  const clock = deps.clock ?? systemClock;
  const pool = deps.servers ?? createServerPool({ configured: config.servers }, { clock });
  const transport = createTransport(config, { clock, pool });
  const chain = [
    ...(deps.middleware ?? []),
    retryAfter(clock, deps.log ?? silentLogger),
    retryUnanswered(clock),
    authorize(config, clock),
    impersonate(config),
  ];
  const send = chain.reduceRight<Send>((next, middleware) => middleware(next), transport.send);
  const userAgent = config.userAgent ?? 'skiff-client/v0.1.0';

  const open = (call: Call): Promise<HttpResponse> =>
    send({
      method: call.method,
      path: call.path,
      headers: {
        accept: call.accept ?? 'application/json',
        'user-agent': userAgent,
        ...(call.body === undefined ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        ...call.headers,
      },
      ...(call.body === undefined ? {} : { body: Buffer.from(JSON.stringify(call.body)) }),
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });

  const json = async <R>(call: Call): Promise<R> => {
    const response = await open(call);
    const body = await readAll(response);
    if (response.code >= 400) throw statusErrorOf(response.code, body);
    return JSON.parse(body.toString('utf8')) as R;
  };

  /** Built-in kinds come without a type in lists; whoever holds an item should not need to know where it came from. */
  const withTypes = <T extends KubeObject>(r: ResourceRef<T>, list: KubeList<T>): KubeList<T> => {
    const apiVersion = formatGroupVersion(r.group, r.version);
    const items = (list.items ?? []).map((item) =>
      item.kind === undefined || item.kind === 'PartialObjectMetadata' ? { ...item, apiVersion, kind: r.kind } : item,
    );
    return { ...list, items };
  };

  const write = <T extends KubeObject>(
    method: 'PUT' | 'POST',
    path: string,
    o: { body: T; options: (WriteOptions & { signal?: AbortSignal }) | undefined },
  ): Promise<T> => json<T>({ method, path: path + formatQuery(writeQuery(o.options)), body: o.body, signal: o.options?.signal });

  return {
    get: async <T extends KubeObject>(r: ResourceRef<T>, key: ObjectKey, o: Parameters<Client['get']>[2] = {}) => {
      const path = objectPath(r, key) + formatQuery({ resourceVersion: o.resourceVersion });
      const object = await json<T>({
        method: 'GET',
        path,
        ...(o.metadataOnly === true ? { accept: partialMetadata } : {}),
        signal: o.signal,
      });
      return object.kind === 'PartialObjectMetadata'
        ? { ...object, apiVersion: formatGroupVersion(r.group, r.version), kind: r.kind }
        : object;
    },
    list: async <T extends KubeObject>(r: ResourceRef<T>, namespace?: string, o: ListOptions & { signal?: AbortSignal } = {}) =>
      withTypes(
        r,
        await json<KubeList<T>>({
          method: 'GET',
          path: resourcePath(r, { namespace }) + formatQuery(listQuery(o)),
          ...(o.metadataOnly === true ? { accept: partialMetadataList } : {}),
          signal: o.signal,
        }),
      ),
    watch: async function* <T extends KubeObject>(r: ResourceRef<T>, namespace: string | undefined, o: Parameters<Client['watch']>[2]) {
      const response = await open({
        method: 'GET',
        path: resourcePath(r, { namespace }) + formatQuery(watchQuery(o)),
        ...(o.metadataOnly === true ? { accept: partialMetadata } : {}),
        signal: o.signal,
      });
      if (response.code >= 400) throw statusErrorOf(response.code, await readAll(response));
      const apiVersion = formatGroupVersion(r.group, r.version);
      for await (const event of decodeWatch<T>(response.body)) {
        if (event.object.kind === 'PartialObjectMetadata') Object.assign(event.object, { apiVersion, kind: r.kind });
        yield event;
      }
    },
    create: (r, object, o) =>
      write('POST', resourcePath(r, { namespace: object.metadata?.namespace }), {
        body: { apiVersion: formatGroupVersion(r.group, r.version), kind: r.kind, ...object },
        options: o,
      }),
    update: (r, object, o) =>
      write('PUT', objectPath(r, parseKey(keyOf(object)), o?.subresource), {
        body: { apiVersion: formatGroupVersion(r.group, r.version), kind: r.kind, ...object },
        options: o,
      }),
    updateStatus: (r, object, o) =>
      write('PUT', objectPath(r, parseKey(keyOf(object)), 'status'), {
        body: { apiVersion: formatGroupVersion(r.group, r.version), kind: r.kind, ...object },
        options: o,
      }),
    patch: (r, key, patch, o) =>
      json({
        method: 'PATCH',
        path: objectPath(r, key, patch.subresource) + formatQuery({ ...writeQuery(o), force: patch.force === true ? 'true' : undefined }),
        body: patch.body,
        contentType: patchContentTypes[patch.type],
        signal: o?.signal,
      }),
    delete: async (r, key, o = {}) => {
      await json({ method: 'DELETE', path: objectPath(r, key), body: deleteBody(o), signal: o.signal });
    },
    deleteCollection: async (r, namespace, o = {}) => {
      await json({
        method: 'DELETE',
        path: resourcePath(r, { namespace }) + formatQuery(listQuery(o)),
        body: deleteBody(o),
        signal: o.signal,
      });
    },
    createSubresource: <B, R>(r: ResourceRef, key: ObjectKey, subresource: string, body: B, o?: { signal?: AbortSignal }) =>
      json<R>({ method: 'POST', path: objectPath(r, key, subresource), body, signal: o?.signal }),
    request: async (o) => {
      const response = await open({
        method: o.method,
        path: o.path + formatQuery(o.query ?? {}),
        ...(o.body === undefined ? {} : { body: o.body }),
        ...(o.headers === undefined ? {} : { headers: o.headers }),
        signal: o.signal,
      });
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(response.headers)) {
        if (value !== undefined && !name.startsWith(':')) headers[name] = Array.isArray(value) ? value.join(', ') : String(value);
      }
      return { code: response.code, headers, body: await readAll(response) };
    },
    close: () => transport.close(),
  };
}
