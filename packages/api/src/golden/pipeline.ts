import {
  createTypedCodec,
  type DeepReadonly,
  FieldErrors,
  invalid,
  isStatusError,
  type JsonObject,
  type KubeObject,
  parseJson,
  type ResourceDefinition,
  type ResourceStrategy,
  type StrategyContext,
  type Status,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from '@skiff/apimachinery';
import { builtinSchemas } from '../generated/index.ts';
import { allocate } from './service-allocation.ts';

/** What a write came to: the object as it would be served, or why not. */
export interface Outcome {
  readonly object?: JsonObject;
  readonly status?: Partial<Status>;
  readonly warnings: readonly string[];
}

const context: StrategyContext = {
  now: '2026-01-01T00:00:00Z',
  user: { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
};

function decode(d: ResourceDefinition, object: JsonObject): { draft: KubeObject; strictErrors: readonly string[] } {
  const codec = createTypedCodec<KubeObject>(builtinSchemas, d.schemaName);
  const { object: draft, strictErrors } = codec.decode(parseJson(Buffer.from(JSON.stringify(object))));
  applyDefaults(d, draft);
  return { draft, strictErrors };
}

function applyDefaults(d: ResourceDefinition, draft: KubeObject): void {
  createTypedCodec<KubeObject>(builtinSchemas, d.schemaName).applyDefaults(draft);
  d.defaults?.(draft);
}

function serve(d: ResourceDefinition, draft: KubeObject): JsonObject {
  const codec = createTypedCodec<KubeObject>(builtinSchemas, d.schemaName);
  const served = JSON.parse(codec.encodeResponse(draft)) as JsonObject;
  if (d.conversion === undefined) return served;
  return serve({ ...d, conversion: undefined as never }, decode(d, d.conversion.fromStorage(d.conversion.toStorage(served))).draft);
}

const gone = (strictErrors: readonly string[], run: () => Outcome): Outcome => {
  try {
    const outcome = run();
    return { ...outcome, warnings: [...strictErrors, ...outcome.warnings] };
  } catch (e) {
    if (isStatusError(e)) return { status: e.toStatus(), warnings: strictErrors };
    throw e;
  }
};

function refuse(d: ResourceDefinition, draft: KubeObject, errors: FieldErrors): void {
  if (!errors.empty) throw invalid({ group: (d.storageVersion ?? d).group, kind: d.kind }, draft.metadata?.name ?? '', errors.list);
}

/** What the registry does with a new object, without admission and storage. */
export const create = (d: ResourceDefinition, object: JsonObject): Outcome => {
  const { draft, strictErrors } = decode(d, object);
  return gone(strictErrors, () => {
    const namespace = d.scope === 'Namespaced' ? { namespace: 'golden' } : {};
    draft.metadata = { ...draft.metadata, ...namespace, uid: 'UID', creationTimestamp: context.now };
    allocate(draft);
    d.strategy?.prepareForCreate?.(draft, context);
    const errors = new FieldErrors();
    validateObjectMeta(draft.metadata, { scope: d.scope, validateName: d.strategy?.validateName }, errors);
    d.strategy?.validate?.(draft as DeepReadonly<KubeObject>, errors, context);
    refuse(d, draft, errors);
    const warnings = d.strategy?.warnings?.(draft as DeepReadonly<KubeObject>) ?? [];
    d.strategy?.canonicalize?.(draft);
    return { object: serve(d, draft), warnings };
  });
};

/** What the registry does with a PUT of `object` over `old`, on the resource itself or a subresource of the same kind. */
export const update = (d: ResourceDefinition, old: JsonObject, object: JsonObject, subresource = ''): Outcome => {
  const before = decode(d, old).draft as DeepReadonly<KubeObject>;
  const { draft, strictErrors } = decode(d, object);
  return gone(strictErrors, () => {
    const strategy: ResourceStrategy<KubeObject> = (subresource === '' ? d.strategy : d.subresources?.[subresource]?.strategy) ?? {};
    const { generation } = before.metadata ?? {};
    draft.metadata = { ...draft.metadata, ...(generation === undefined ? {} : { generation }) };
    allocate(draft, before);
    strategy.prepareForUpdate?.(draft, before, context);
    const errors = new FieldErrors();
    validateObjectMeta(draft.metadata, { scope: d.scope }, errors);
    validateObjectMetaUpdate(draft.metadata, before.metadata ?? {}, errors);
    strategy.validateUpdate?.(draft as DeepReadonly<KubeObject>, before, errors, context);
    refuse(d, draft, errors);
    const warnings = strategy.warnings?.(draft as DeepReadonly<KubeObject>, before) ?? [];
    strategy.canonicalize?.(draft);
    return { object: serve(d, draft), warnings };
  });
};

/** RFC 7386, for writing down updates as what they change. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
