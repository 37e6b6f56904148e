import type { Clock, Logger } from '@skiff/component-base';
import type { DeepReadonly, KubeList, KubeObject, ObjectKey, ResourceRef, WatchEvent } from '@skiff/apimachinery';

export interface ListOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  readonly limit?: number;
  readonly continue?: string;
  /** Items come as meta.k8s.io/v1 PartialObjectMetadata: type and metadata only. */
  readonly metadataOnly?: boolean;
}
export interface WatchOptions extends ListOptions {
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}
export interface WriteOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
}
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}
export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

/**
 * A typed client of one apiserver (or several, failing over). Every call throws StatusError for an answer that is an error, and
 * `RequestError` when there was none. `signal` ends the call. The generic argument comes from the ResourceRef.
 */
export interface Client {
  get<T extends KubeObject>(
    r: ResourceRef<T>,
    key: ObjectKey,
    o?: { signal?: AbortSignal; resourceVersion?: string; metadataOnly?: boolean },
  ): Promise<T>;
  list<T extends KubeObject>(r: ResourceRef<T>, namespace?: string, o?: ListOptions & { signal?: AbortSignal }): Promise<KubeList<T>>;
  watch<T extends KubeObject>(
    r: ResourceRef<T>,
    namespace: string | undefined,
    o: WatchOptions & { signal: AbortSignal },
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(r: ResourceRef<T>, object: T, o?: WriteOptions & { signal?: AbortSignal }): Promise<T>;
  update<T extends KubeObject>(r: ResourceRef<T>, object: T, o?: WriteOptions & { signal?: AbortSignal; subresource?: string }): Promise<T>;
  updateStatus<T extends KubeObject>(r: ResourceRef<T>, object: T, o?: WriteOptions & { signal?: AbortSignal }): Promise<T>;
  patch<T extends KubeObject>(
    r: ResourceRef<T>,
    key: ObjectKey,
    patch: { type: PatchType; body: unknown; subresource?: string; force?: boolean },
    o?: WriteOptions & { signal?: AbortSignal },
  ): Promise<T>;
  delete(r: ResourceRef, key: ObjectKey, o?: DeleteOptions & { signal?: AbortSignal }): Promise<void>;
  deleteCollection(
    r: ResourceRef,
    namespace: string | undefined,
    o?: DeleteOptions & ListOptions & { signal?: AbortSignal },
  ): Promise<void>;
  /** POST to a subresource with a body of another kind: binding, eviction, token. */
  createSubresource<B, R = unknown>(r: ResourceRef, key: ObjectKey, subresource: string, body: B, o?: { signal?: AbortSignal }): Promise<R>;
  /** Anything else: discovery, /healthz, proxies. `body` is sent as JSON. */
  request(o: {
    method: string;
    path: string;
    query?: Readonly<Record<string, string | readonly string[] | undefined>>;
    headers?: Readonly<Record<string, string>>;
    body?: unknown;
    signal?: AbortSignal;
  }): Promise<{ code: number; headers: Readonly<Record<string, string>>; body: Buffer }>;
  /** Ends idle connections. */
  close(): void;
}

/** No answer: the connection failed or was cut. */
export class RequestError extends Error {
  /** false: the server surely has not acted on it, so that even a write may be sent again. */
  readonly maybeProcessed: boolean;
  constructor(message: string, o: { cause?: unknown; maybeProcessed: boolean } = { maybeProcessed: true }) {
    super(message, o.cause === undefined ? undefined : { cause: o.cause });
    this.name = 'RequestError';
    this.maybeProcessed = o.maybeProcessed;
  }
}

export interface Lister<T> {
  get(key: ObjectKey): DeepReadonly<T> | undefined;
  list(namespace?: string): readonly DeepReadonly<T>[];
  /** Objects that the index function gave `value` for. Throws when there is no such index. */
  byIndex(index: string, value: string): readonly DeepReadonly<T>[];
}

export interface InformerHandler<T> {
  onAdd?(object: DeepReadonly<T>): void;
  onUpdate?(object: DeepReadonly<T>, old: DeepReadonly<T>): void;
  /** The last known state; it may be older than the true last one after a relist. */
  onDelete?(object: DeepReadonly<T>): void;
}

/**
 * A cache of one resource kept current by list and watch (sendInitialEvents where the server has it).
 * - `run` ends only when `signal` aborts; every failure on the way is its own to mend.
 * - The store is updated before handlers run; handlers are called in order of revision, synchronously, and must not throw.
 * - A handler that subscribes late gets an `onAdd` for everything already there.
 */
export interface Informer<T extends KubeObject> extends Lister<T> {
  readonly resource: ResourceRef<T>;
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when the first list is complete. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** The newest revision that was seen; '' before the first list. */
  readonly resourceVersion: string;
  subscribe(handler: InformerHandler<T>): Disposable;
  /** At any time; the same name again is ignored. */
  addIndex(name: string, valuesOf: (object: DeepReadonly<T>) => readonly string[]): void;
  /** Lists again, consistently; resolves when the store holds a state that is newer than the call. */
  relist(): Promise<void>;
}

export interface InformerOptions {
  readonly namespace?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  /** PartialObjectMetadata instead of whole objects. */
  readonly metadataOnly?: boolean;
}

/** One informer for each resource, shared by all controllers of a process. */
export interface InformerFactory {
  informer<T extends KubeObject>(
    r: ResourceRef<T>,
    o?: { namespace?: string; fieldSelector?: string; labelSelector?: string },
  ): Informer<T>;
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when all informers that were asked for have synced. */
  synced(signal: AbortSignal): Promise<void>;
}

/** client-go's work queue: a key is never processed twice at once, adds while processing are remembered, retries back off. */
export interface WorkQueue<K> {
  add(key: K): void;
  addAfter(key: K, delayMs: number): void;
  retry(key: K): void;
  forget(key: K): void;
  readonly length: number;
  process(work: (key: K, signal: AbortSignal) => Promise<void>, o: { concurrency: number; signal: AbortSignal }): Promise<void>;
}

/**
 * Keeps a key from being reconciled on a cache that has not yet seen the key's own last writes (upstream: consistency store).
 * Open when every written resource's informer has reached the written revision and no longer holds deleted UIDs unmarked.
 */
export interface WriteFence {
  wrote(r: ResourceRef, object: DeepReadonly<KubeObject>): void;
  deleted(r: ResourceRef, object: DeepReadonly<KubeObject>): void;
  /** A write whose outcome is unknown: closed until a relist. */
  uncertain(r: ResourceRef): void;
}

export interface ReconcileContext {
  readonly signal: AbortSignal;
  /** The process's client; what is written through it is noted in the fence. */
  readonly client: Client;
  readonly log: Logger;
  readonly fence: WriteFence;
}
/** Level-triggered, idempotent. A throw is retried with back-off; TerminalError is not. */
export type Reconcile = (key: ObjectKey, context: ReconcileContext) => Promise<void | { requeueAfterMs: number }>;
export class TerminalError extends Error {}

export interface ControllerDependencies {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
}

/** Records core/v1 Events, aggregated and rate-limited per source and object as client-go does. Never throws. */
export interface EventRecorder {
  event(object: DeepReadonly<KubeObject>, type: 'Normal' | 'Warning', reason: string, message: string, o?: EventOptions): void;
}

export interface EventOptions {
  /** A part of the object: `spec.containers{name}`. */
  readonly fieldPath?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
