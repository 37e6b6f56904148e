import {
  type DeepReadonly,
  type ErrorSubject,
  FieldErrors,
  type FieldManager,
  invalid,
  type JsonObject,
  type KubeObject,
  type ObjectMeta,
  type ResourceDefinition,
  type ResourceStrategy,
  type StrategyContext,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from '@skiff/apimachinery';
import { checkDeviceSelector, checkSchemaRules } from '@skiff/cel';
import type { AdmissionChain, AdmissionOperation, AdmissionRequest, AuditAnnotations, Lifetime, UserInfo } from '../contract.ts';
import { createExpressionChecks } from './expression-checks.ts';
import type { LeaderGuard } from './leader-guard.ts';
import { runInSteps } from './run-in-steps.ts';
import type { ResourceHooks } from './resource-hooks.ts';
import type { ServedResource } from './stored-resource.ts';

/** What all steps of one write share. Made once for a request; closures that run again use the same. */
export interface WriteContext {
  readonly resource: ServedResource;
  readonly subresource: string;
  readonly strategy: ResourceStrategy<KubeObject>;
  readonly fields: FieldManager;
  readonly namespace: string;
  readonly user: UserInfo;
  /** Name in managedFields; undefined: writes of the server itself that leave none. */
  readonly manager: string | undefined;
  readonly dryRun: boolean;
  readonly warnings: string[];
  readonly audit?: AuditAnnotations | undefined;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, for admission. */
  readonly options: JsonObject;
  /** undefined: no admission (the server's own writes). */
  readonly admission: AdmissionChain | undefined;
  readonly hooks: ResourceHooks | undefined;
  /** undefined: the sender claims no leadership. */
  readonly guard: LeaderGuard | undefined;
  readonly lifetime: Lifetime;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** The same, RFC 3339, seconds. */
  readonly now: string;
  readonly memo: Map<string, unknown>;
  /** The request is about a collection: admission is not told the objects' names. */
  readonly nameless?: boolean;
}

export const subjectOf = (w: Pick<WriteContext, 'resource'>): ErrorSubject => ({
  group: w.resource.definition.group,
  resource: w.resource.definition.plural,
});

/** A kind of two groups (Event) is validated, and named in messages, as the one that is stored. */
const invalidSubject = (d: ResourceDefinition): { group: string; kind: string } => ({ group: (d.storageVersion ?? d).group, kind: d.kind });

export const strategyContext = (w: WriteContext): StrategyContext => ({
  now: w.now,
  user: w.user,
  warn: (text) => warn(w, [text]),
  expressions: createExpressionChecks,
  deviceSelector: checkDeviceSelector,
  schemaRules: checkSchemaRules,
});

/** Each warning once, however often a closure runs. */
export function warn(w: Pick<WriteContext, 'warnings'>, texts: readonly string[]): void {
  for (const text of texts) if (!w.warnings.includes(text)) w.warnings.push(text);
}

/** For admission plugins: `object` is the draft itself, which mutating ones change. */
export function admissionRequest(
  w: WriteContext,
  operation: AdmissionOperation,
  o: { name: string; object: KubeObject | undefined; old: DeepReadonly<KubeObject> | undefined },
): AdmissionRequest {
  return {
    operation,
    definition: w.resource.definition,
    subresource: w.subresource,
    namespace: w.namespace,
    name: w.nameless === true ? '' : o.name,
    object: (o.object ?? null) as JsonObject | null,
    oldObject: (o.old ?? null) as DeepReadonly<JsonObject> | null,
    // What an update or apply creates is created.
    options: operation === 'CREATE' && w.options['kind'] === 'UpdateOptions' ? { ...w.options, kind: 'CreateOptions' } : w.options,
    dryRun: w.dryRun,
    user: w.user,
    warnings: w.warnings,
    audit: w.audit,
    memo: w.memo,
  };
}

/** Mutating admission; returns the object that it leaves, with defaults again where it may have changed. */
export async function mutate(
  w: WriteContext,
  operation: 'CREATE' | 'UPDATE',
  o: { name: string; object: KubeObject; old: DeepReadonly<KubeObject> | undefined },
): Promise<KubeObject> {
  if (w.admission === undefined) return o.object;
  const request = admissionRequest(w, operation, o);
  await w.admission.mutate(request, w.lifetime);
  const object = request.object as KubeObject;
  w.resource.codec.applyDefaults(object);
  return object;
}

/** Strategy's part of a creation between mutating and validating admission. Throws Invalid. */
export async function prepareCreate(w: WriteContext, draft: KubeObject, meta: ObjectMeta): Promise<void> {
  const { definition } = w.resource;
  const context = strategyContext(w);
  w.strategy.prepareForCreate?.(draft, context);
  const errors = new FieldErrors();
  validateObjectMeta(meta, { scope: definition.scope, validateName: w.strategy.validateName }, errors);
  w.strategy.validate?.(draft, errors, context);
  const steps = w.strategy.validateInSteps?.(draft, undefined, errors, context);
  if (steps !== undefined) await runInSteps(steps, w.lifetime.signal);
  if (!errors.empty) throw invalid(invalidSubject(definition), meta.name ?? '', errors.list);
  warn(w, w.strategy.warnings?.(draft) ?? []);
  w.strategy.canonicalize?.(draft);
}

/** The same for an update: `draft` has its resourceVersion already. */
export async function prepareUpdate(w: WriteContext, draft: KubeObject, meta: ObjectMeta, old: DeepReadonly<KubeObject>): Promise<void> {
  const { definition } = w.resource;
  const context = strategyContext(w);
  const oldMeta = old.metadata ?? {};
  if (oldMeta.generation === undefined) delete meta.generation;
  else meta.generation = oldMeta.generation;
  w.strategy.prepareForUpdate?.(draft, old, context);
  if (!meta.uid && oldMeta.uid) meta.uid = oldMeta.uid;
  if (oldMeta.creationTimestamp) meta.creationTimestamp = oldMeta.creationTimestamp;
  if (oldMeta.deletionTimestamp) meta.deletionTimestamp = oldMeta.deletionTimestamp;
  if (oldMeta.deletionGracePeriodSeconds !== undefined && meta.deletionGracePeriodSeconds === undefined) {
    meta.deletionGracePeriodSeconds = oldMeta.deletionGracePeriodSeconds;
  }
  const errors = new FieldErrors();
  validateObjectMeta(meta, { scope: definition.scope }, errors);
  validateObjectMetaUpdate(meta, oldMeta, errors);
  // Upstream's kinds check it once more themselves: the message is the same, but each complaint is there twice among the causes.
  validateObjectMetaUpdate(meta, oldMeta, errors);
  w.strategy.validateUpdate?.(draft, old, errors, context);
  const steps = w.strategy.validateInSteps?.(draft, old, errors, context);
  if (steps !== undefined) await runInSteps(steps, w.lifetime.signal);
  if (!errors.empty) throw invalid(invalidSubject(definition), meta.name ?? '', errors.list);
  warn(w, w.strategy.warnings?.(draft, old) ?? []);
  w.strategy.canonicalize?.(draft);
}

/** Seconds an object of this resource lives. */
export const ttlOf = (w: WriteContext): { ttlSeconds?: number } =>
  w.resource.definition.ttlSeconds === undefined ? {} : { ttlSeconds: w.resource.definition.ttlSeconds };
