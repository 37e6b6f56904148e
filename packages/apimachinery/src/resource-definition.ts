import type { FieldErrors } from './field-error.ts';
import type { DeepReadonly, Json, JsonObject, KubeObject, ResourceRef } from './object.ts';
import type { StructuralCodec } from './structural/codec.ts';
import type { StructuralSchema } from './structural/schema.ts';

/** Where an expression stands decides which names it may use and what it must come to. */
export type ExpressionPlace = 'matchCondition' | 'validation' | 'message' | 'auditAnnotation' | 'applyConfiguration' | 'jsonPatch';

/** Checks the expressions (CEL) of one webhook or policy. All return upstream's complaint; undefined: it is good. */
export interface ExpressionChecks {
  /** Expressions that are checked after it may use `variables.name`. */
  variable(name: string, expression: string): string | undefined;
  check(place: ExpressionPlace, expression: string): string | undefined;
}

export interface StrategyContext {
  /** Kinds are pure structure: who stores them brings the compiler. `params`: there are parameters; `variables`: there may be variables. */
  readonly expressions?: (o: { readonly params: boolean; readonly variables: boolean }) => ExpressionChecks;
  /** What is wrong with an expression that selects devices: it does not compile, or it may cost too much. */
  readonly deviceSelector?: (expression: string) => { readonly invalid?: string; readonly forbidden?: string };
  /**
   * Checks the rules (`x-kubernetes-validations`) of a custom kind's schema, also against its defaults, in steps; `structural`: the schema
   * itself is in order.
   */
  readonly schemaRules?: (schema: StructuralSchema, field: string, structural: boolean, errors: FieldErrors) => Generator<void, void>;
  /** RFC 3339, seconds. */
  readonly now: string;
  /** A text for a `Warning: 299` header, for what preparation takes away; later warnings come from `warnings`. */
  readonly warn?: (text: string) => void;
  readonly user: {
    readonly name: string;
    readonly uid?: string;
    readonly groups: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
}

/** Checks a name; returns upstream's complaints, none when it is good. `prefix`: it is a generateName. */
export type NameValidator = (name: string, prefix: boolean) => readonly string[];

/**
 * What a kind does beyond generic behaviour (upstream: registry strategies). Pure: only `draft` may be changed. An absent hook
 * means generic behaviour. Order on write: decode → defaults → prepareFor… → (admission) → defaults → validate… → canonicalize → store.
 */
export interface ResourceStrategy<T> {
  readonly validateName?: NameValidator;
  prepareForCreate?(draft: T, context: StrategyContext): void;
  validate?(object: DeepReadonly<T>, errors: FieldErrors, context: StrategyContext): void;
  prepareForUpdate?(draft: T, old: DeepReadonly<T>, context: StrategyContext): void;
  validateUpdate?(object: DeepReadonly<T>, old: DeepReadonly<T>, errors: FieldErrors, context: StrategyContext): void;
  /**
   * What may take long, after `validate` or (with `old`) `validateUpdate` and whatever these found. Each step does a bit: others run in
   * between.
   */
  validateInSteps?(
    object: DeepReadonly<T>,
    old: DeepReadonly<T> | undefined,
    errors: FieldErrors,
    context: StrategyContext,
  ): Generator<void, void>;
  canonicalize?(draft: T): void;
  warnings?(object: DeepReadonly<T>, old?: DeepReadonly<T>): readonly string[];
  /** PUT to a name that does not exist creates it (Lease, Event, Endpoints, … as upstream's AllowCreateOnUpdate). */
  readonly allowCreateOnUpdate?: boolean;
  /** PUT without resourceVersion is allowed. Default true. */
  readonly allowUnconditionalUpdate?: boolean;
  /**
   * Grace period of a deletion in seconds (upstream's RESTGracefulDeleteStrategy); absent = deleted at once. 0 = at once.
   * May set fields on `draft` (generation) that the marking write stores.
   */
  gracefulDelete?(draft: T, requestedSeconds: number | undefined): number;
  /** Finalizer that garbage collection adds when the client names no propagation policy; default background. */
  readonly defaultGarbageCollection?: 'orphan' | 'background';
}

export interface TableColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description?: string;
  /** 0 is shown always, more only with `-o wide`. */
  readonly priority?: number;
}

export interface TableDefinition<T> {
  readonly columns: readonly TableColumn[];
  /** One cell a column, in order. `nowMs`: for ages. */
  row(object: DeepReadonly<T>, nowMs: number): readonly Json[];
}

/** Method-typed (hence bivariant), so that a `ResourceDefinition<Pod>` is a `ResourceDefinition`. */
export type FieldSelectorValue<T> = { value(object: DeepReadonly<T>): string }['value'];

export interface SubresourceDefinition<T> {
  /** The kind that discovery and the body have: `Scale`, `Eviction`, or the parent's. */
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
  /** Set where the body is the parent object itself (status, resize, ephemeralcontainers, approval, finalize): generic get/update/patch with this strategy. */
  readonly strategy?: ResourceStrategy<T>;
  /** Fields that belong to this subresource, for managedFields reset: JSON paths such as `status` or `spec.replicas`. */
  readonly resetFields?: readonly string[];
}

/** Where a custom kind keeps what its Scale shows: JSON paths such as `.spec.replicas`. */
export interface ScalePaths {
  readonly specReplicas: string;
  readonly statusReplicas: string;
  readonly labelSelector?: string;
}

/** A webhook that converts objects of a custom kind between its versions (`spec.conversion.webhook` of a CustomResourceDefinition). */
export interface ConversionWebhook {
  readonly url?: string;
  readonly service?: { readonly namespace: string; readonly name: string; readonly path?: string; readonly port?: number };
  /** Base64 of PEM. */
  readonly caBundle?: string;
  /** Of ConversionReview, the preferred first. */
  readonly reviewVersions: readonly string[];
}

/** The structure of a custom kind in one version, as its CustomResourceDefinition has it. */
export interface CustomStructure {
  readonly codec: StructuralCodec;
  /** Absent where the definition has none. */
  readonly schema: StructuralSchema;
  readonly scale?: ScalePaths;
  /** The version that objects are stored in, where that is another one; it need not be served. */
  readonly storage?: ResourceDefinition;
  /** Set where versions differ by more than apiVersion. */
  readonly webhook?: ConversionWebhook;
  /** The other versions of the kind, served or not. */
  versionOf(name: string): ResourceDefinition | undefined;
  /** False: objects are stored in this version, and clients don't see it. */
  readonly served: boolean;
  /** Told with every answer of a version that is deprecated. */
  readonly deprecation?: string;
}

/**
 * A kind: structure by name, behaviour as pure functions. One file per kind makes one of these; a CustomResourceDefinition
 * becomes the same value at run time.
 */
export interface ResourceDefinition<T extends KubeObject = KubeObject> extends ResourceRef<T> {
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly verbs: readonly string[];
  /** Struct in the SchemaRegistry, e.g. `io.k8s.api.core.v1.Pod`. */
  readonly schemaName: string;
  /** Set on custom kinds, whose structure is in no registry: `schemaName` is then only what OpenAPI calls them. */
  readonly custom?: CustomStructure;
  /** Key below `/registry/`, as upstream lays it out: `pods`, `minions`, `services/specs`. */
  readonly storagePrefix: string;
  /** The version objects are stored in; absent = this one. */
  readonly storageVersion?: { readonly group: string; readonly version: string };
  /**
   * Where the stored version has another structure than this one (autoscaling v1 and v2, the two Event groups): pure, both ways, whole
   * objects, kind and apiVersion included. Absent = only apiVersion differs.
   */
  readonly conversion?: { fromStorage(stored: JsonObject): JsonObject; toStorage(object: JsonObject): JsonObject };
  /** As upstream's storageVersionHash in discovery, where the oracle shows one. */
  readonly storageVersionHash?: string;
  /** Ephemeral resources live in Redis (or in etcd under leases). Seconds an object lives. */
  readonly ttlSeconds?: number;
  /** Defaults beyond `+default` markers (upstream's SetDefaults_*). Idempotent; changes `draft`. */
  defaults?(draft: T): void;
  readonly strategy?: ResourceStrategy<T>;
  readonly subresources?: Readonly<Record<string, SubresourceDefinition<T>>>;
  /** `metadata.name` and `metadata.namespace` are implied. */
  readonly selectableFields?: Readonly<Record<string, FieldSelectorValue<T>>>;
  readonly table?: TableDefinition<T>;
  /** 'stored': writes are answered with `Warning: 299 … is stored but not yet enforced`. */
  readonly enforcement?: 'enforced' | 'stored';
  /** Virtual kinds (reviews): only `create`, never stored. */
  readonly virtual?: boolean;
  /** DELETE answers with the object instead of a Status (upstream: 19 resources, e.g. pods, services, PVCs). */
  readonly returnsDeletedObject?: boolean;
  /** resetFields of the main resource: `status` for most kinds with a status subresource. */
  readonly resetFields?: readonly string[];
}
