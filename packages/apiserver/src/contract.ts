/**
 * The seam between the front (HTTP, authentication, authorization, admission, discovery) and the registry (storage, views,
 * generic REST). The front turns a request into an ApiRequest and writes what comes back; the registry knows no sockets.
 */
import type { DeepReadonly, JsonObject, KubeObject, ResourceDefinition, SchemaRegistry } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import type { DurableStore, RevisionedStore } from '@skiff/storage';
import type { ServedForm } from './storage/stored-entry.ts';

export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What a URL and method ask for, as upstream's RequestInfo. */
export interface RequestInfo {
  readonly isResourceRequest: boolean;
  readonly path: string;
  /** get, list, watch, create, update, patch, delete, deletecollection; for non-resource requests the lower-case method. */
  readonly verb: string;
  readonly apiPrefix: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Path segments after the resource (`services/x/proxy/a/b` → name, proxy, a, b). */
  readonly parts: readonly string[];
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** The negotiated answer format. `as` comes with its group version (`meta.k8s.io/v1`). */
export interface OutputFormat {
  readonly mediaType: 'json' | 'yaml' | 'protobuf';
  readonly pretty: boolean;
  readonly as?: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';
  readonly asVersion?: 'v1' | 'v1beta1';
}

/** Objects of a custom kind as the version of `to` has them, in the same order. Rejects with a StatusError. */
export type ConvertObjects = (to: ResourceDefinition, objects: readonly JsonObject[]) => Promise<readonly JsonObject[]>;

/** See HeavyLane: `definition` is `group/version/plural`, `custom` the JSON of its CustomResourceDefinition; undefined: it can't be said. */
export type HeavyForms = (definition: string, value: Buffer, custom?: string) => Promise<ServedForm | undefined>;

/** Notes for the audit event of a request. Keys begin with a domain (`pod-security.kubernetes.io/…`); values are short. The first value of a key stays. */
export interface AuditAnnotations {
  annotate(key: string, value: string): void;
}

/** What endpoints tell of an audited request. */
export interface RequestAudit extends AuditAnnotations {
  /** The decoded body; `json`: its text, made only where the policy wants it. */
  requestObject(object: object, json?: () => string): void;
  requestPatch(body: Buffer): void;
}

/** How long something is wanted. Making a signal costs as much as looking an object up: it is made when it is first asked for. */
export interface Lifetime {
  readonly signal: AbortSignal;
}

export interface ApiRequest extends Lifetime {
  readonly info: RequestInfo;
  readonly user: UserInfo;
  readonly query: URLSearchParams;
  /** Decompressed; empty when there is none. Its size is already bounded. */
  readonly body: Buffer;
  /** Lower-case media type without parameters; '' when there is none. */
  readonly contentType: string;
  readonly output: OutputFormat;
  readonly userAgent: string;
  /** What the header `skiff-leader` says: the write holds only while its sender is the leader. */
  readonly leader?: string;
  /** Aborts when the client is gone or the deadline is over. */
  readonly signal: AbortSignal;
  /** Texts for `Warning: 299` headers; append before the answer is returned. */
  readonly warnings: string[];
  /** Absent: the request is not audited. */
  readonly audit?: RequestAudit | undefined;
}

export interface ApiResponse {
  readonly code: number;
  readonly contentType: string;
  /**
   * Pieces of at most about 1 MiB, pulled one by one: a long LIST or Table makes its next piece only when it is asked for one. Pull the next
   * when the socket has taken the last, and let the event loop turn in between. An array where the whole body exists already.
   */
  readonly body: Iterable<Buffer>;
  /** Bytes of the whole body, where they are known beforehand. */
  readonly contentLength?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where a watch writes its frames. Encoded once per event for all watchers of the same format. */
export interface WatchSink {
  /** Never blocks. Returns the bytes not yet taken by the socket; the registry ends a watcher that lets them grow beyond its budget. */
  write(frame: Buffer): number;
  /** Resolves when fewer than `unsentBytes` wait for the socket, or the stream is gone. For the long first state of a watch. */
  drained(unsentBytes: number): Promise<void>;
  end(): void;
  /** RST the stream: the client was too slow. */
  destroy(): void;
}

/** Sends status 200 and headers with `contentType`; only called once the watch is known to be good. Errors before are thrown. */
export type OpenWatch = (contentType: string) => WatchSink;

/** One served resource (or subresource) in one version. Absent method = 405. All throw StatusError. */
export interface ResourceEndpoint {
  readonly definition: ResourceDefinition;
  readonly subresource: string;
  get?(r: ApiRequest): Promise<ApiResponse>;
  list?(r: ApiRequest): Promise<ApiResponse>;
  /** Resolves when the watch has ended. */
  watch?(r: ApiRequest, open: OpenWatch): Promise<void>;
  create?(r: ApiRequest): Promise<ApiResponse>;
  update?(r: ApiRequest): Promise<ApiResponse>;
  patch?(r: ApiRequest): Promise<ApiResponse>;
  delete?(r: ApiRequest): Promise<ApiResponse>;
  deletecollection?(r: ApiRequest): Promise<ApiResponse>;
}

/** Reads and writes of the server itself (authorizers, bootstrap, admission, allocators): decoded objects, no HTTP. */
export interface ObjectAccess {
  /**
   * From the cache, as of its applied revision; undefined when absent. Frozen: clone before change. Here and in lists, custom objects that only a
   * webhook could convert are as they are stored.
   */
  get<T extends KubeObject>(d: ResourceDefinition<T>, namespace: string, name: string): DeepReadonly<T> | undefined;
  list<T extends KubeObject>(d: ResourceDefinition<T>, namespace?: string): readonly DeepReadonly<T>[];
  /** Called with every change after it is in the cache; `object` undefined = deleted. The object is not kept for others: 5,000 decoded Pods are a lot. */
  subscribe<T extends KubeObject>(
    d: ResourceDefinition<T>,
    on: (key: { namespace: string; name: string }, object: DeepReadonly<T> | undefined) => void,
  ): Disposable;
  /** Linearizable read. */
  read<T extends KubeObject>(d: ResourceDefinition<T>, namespace: string, name: string): Promise<T | undefined>;
  /** Full create path (defaults, strategy, validation; no admission, no authorization). Throws AlreadyExists. */
  create<T extends KubeObject>(d: ResourceDefinition<T>, object: T): Promise<T>;
  /** Guaranteed update: `change` gets a draft, may run again after a lost race; returning undefined = leave it alone. */
  update<T extends KubeObject>(
    d: ResourceDefinition<T>,
    namespace: string,
    name: string,
    change: (draft: T) => T | undefined,
    o?: { subresource?: string },
  ): Promise<T | undefined>;
  /** `uid`: only this very object; throws Conflict when another one has its name. */
  delete(d: ResourceDefinition, namespace: string, name: string, o?: { uid?: string }): Promise<void>;
}

/** The apiservers on this store that live. */
export interface ServerMembers {
  /** As of the applied revision. */
  list(): readonly { readonly ip: string; readonly port: number }[];
  subscribe(changed: () => void): Disposable;
  /** Is one of them until `signal` aborts; resolves when it no longer is. */
  join(self: { readonly ip: string; readonly port: number }, o: { ttlSeconds: number; signal: AbortSignal }): Promise<void>;
}

export interface ResourceRegistry {
  /** undefined: no such resource → 404. */
  lookup(group: string, version: string, resource: string, subresource: string): ResourceEndpoint | undefined;
  /** How much a request is about, as far as this process knows: the object's stored bytes, how many objects a LIST has, and how long those are. */
  extent(info: RequestInfo): { readonly value: Buffer | undefined; readonly objects: number; readonly averageBytes: number };
  /** What the caches hold of each resource, and how many changes they have seen. */
  storageStatistics(): readonly { readonly group: string; readonly resource: string; readonly objects: number; readonly events: number }[];
  /** Everything served, for discovery and OpenAPI. */
  definitions(): readonly ResourceDefinition[];
  /** Replaces the custom kinds that are served: those of the same identity stay as they are, with their watches. */
  serveCustom(definitions: readonly ResourceDefinition[]): void;
  readonly objects: ObjectAccess;
  readonly members: ServerMembers;
  /** Resolves when the caches have caught up with the store as it was at the call. */
  ready(signal: AbortSignal): Promise<void>;
  /** Fills and follows the caches until aborted. */
  run(signal: AbortSignal): Promise<void>;
}

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionRequest {
  readonly operation: AdmissionOperation;
  readonly definition: ResourceDefinition;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** A mutable draft while mutating, read-only afterwards. null on DELETE. */
  object: JsonObject | null;
  readonly oldObject: DeepReadonly<JsonObject> | null;
  readonly options: JsonObject;
  readonly dryRun: boolean;
  readonly user: UserInfo;
  readonly warnings: string[];
  /** Absent: the request is not audited. What a plugin notes, it may note again when the closure re-runs. */
  readonly audit?: AuditAnnotations | undefined;
  /** Lives as long as the client's request: what a plugin did once it need not do again when the closure re-runs. */
  readonly memo: Map<string, unknown>;
}

/** Called inside the guaranteed-update closure and again when it re-runs: no side effects outside `memo`. Throws StatusError to refuse. */
export interface AdmissionChain {
  mutate(r: AdmissionRequest, lifetime: Lifetime): Promise<void>;
  validate(r: AdmissionRequest, lifetime: Lifetime): Promise<void>;
}

/** Subresources with I/O or logic of their own (exec, log, binding, eviction, token, proxy …): one file each, listed in a table. */
export interface SubresourceHandler {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** Makes the endpoint for the definition it hangs on. */
  create(definition: ResourceDefinition): ResourceEndpoint;
}

/** What the registry is made from; `createRegistry(config, deps)` in registry/registry.ts does no I/O. */
export interface RegistryConfig {
  readonly definitions: readonly ResourceDefinition[];
  readonly schema: SchemaRegistry;
  /** `/registry` */
  readonly keyPrefix: string;
  /** CIDRs, the primary family first. */
  readonly serviceClusterIpRanges: readonly string[];
  /** Inclusive. */
  readonly serviceNodePortRange: { readonly from: number; readonly to: number };
  /** False: another server on the same store compacts, repairs and sends bookmarks; this one only serves. */
  readonly housekeeping?: boolean;
}

export interface RegistryDeps {
  readonly store: DurableStore;
  /** For definitions with `ttlSeconds`; absent = `store` (under leases). */
  readonly ephemeralStore?: RevisionedStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Makes what a view shows of a value where that is too much work for the event loop. Absent: everything is made in place. */
  formOf?: HeavyForms;
  /** Made once the registry's own access exists. Must not read through it before `run`. */
  admission(objects: ObjectAccess): AdmissionChain;
  /** Calls the webhooks that convert custom kinds. Absent: such kinds are shown only as they are stored. */
  readonly convert?: ConvertObjects;
  /** Subresources that the front serves (exec, log, token …). */
  subresources(objects: ObjectAccess): readonly SubresourceHandler[];
  /** May this request also create (update and apply to a name that does not exist)? Throws Forbidden. */
  authorizeCreate(r: ApiRequest): Promise<void>;
}
