import type { DeepReadonly, KubeObject, ResourceStrategy, SubresourceDefinition } from '@skiff/apimachinery';
import { semanticEqual } from './semantic-equality.ts';

/** Makes `draft[field]` what it is in `old`, absent included. */
export function keepField<D extends object, O extends object>(draft: D, old: O, field: string): void {
  const from = old as Record<string, unknown>;
  const to = draft as Record<string, unknown>;
  if (from[field] === undefined) delete to[field];
  else to[field] = structuredClone(from[field]);
}

export function setGeneration(draft: KubeObject, generation: number): void {
  // In place, as all strategies do: the registry holds on to the metadata object.
  (draft.metadata ??= {}).generation = generation;
}
export const bumpGeneration = (draft: KubeObject, old: DeepReadonly<KubeObject>): void =>
  setGeneration(draft, (old.metadata?.generation ?? 0) + 1);

/** True on an update that changed what generation counts. */
export const generationChanged = (a: DeepReadonly<KubeObject>, b: DeepReadonly<KubeObject>): boolean =>
  (a.metadata?.generation ?? 0) !== (b.metadata?.generation ?? 0);

export interface SpecRules {
  /**
   * Fields whose change counts as a new generation, with the struct they hold: `{ spec: 'io.k8s.api.apps.v1.DeploymentSpec' }`.
   * Absent: the kind has no generation.
   */
  readonly generation?: Readonly<Record<string, string>>;
  /** The kind has a status, which the main resource neither creates nor changes. Default true. */
  readonly status?: boolean;
}

/** Strategy of a main resource: status is not the client's to write, generation counts changes of the spec. */
export function specStrategy<T extends KubeObject>(rules: SpecRules, more: ResourceStrategy<T> = {}): ResourceStrategy<T> {
  const counted = Object.entries(rules.generation ?? {});
  const hasStatus = rules.status ?? true;
  return {
    ...more,
    prepareForCreate(draft, context) {
      if (hasStatus) delete (draft as { status?: unknown }).status;
      if (counted.length > 0) setGeneration(draft, 1);
      more.prepareForCreate?.(draft, context);
    },
    prepareForUpdate(draft, old, context) {
      if (hasStatus) keepField(draft, old, 'status');
      more.prepareForUpdate?.(draft, old, context);
      const from = old as Record<string, unknown>;
      const to = draft as unknown as Record<string, unknown>;
      if (counted.some(([field, struct]) => !semanticEqual(struct, to[field], from[field]))) bumpGeneration(draft, old);
    },
  };
}

/** Strategy of the status subresource: all but the status stays (labels and annotations may come along, as upstream's). */
export function statusStrategy<T extends KubeObject>(more: ResourceStrategy<T> = {}): ResourceStrategy<T> {
  return {
    ...more,
    prepareForUpdate(draft, old, context) {
      keepField(draft, old, 'spec');
      more.prepareForUpdate?.(draft, old, context);
    },
  };
}

/** For kinds whose status writes may not touch metadata at all (upstream's ResetObjectMetaForStatus). */
export function keepMetadata<T extends KubeObject>(draft: T, old: DeepReadonly<T>): void {
  const meta = (draft.metadata ??= {});
  for (const field of ['deletionTimestamp', 'generation', 'labels', 'annotations', 'finalizers', 'ownerReferences']) {
    keepField(meta, old.metadata ?? {}, field);
  }
}

/** The `status` subresource of a kind; its body is the parent object, of which only the status is taken. */
export function statusSubresource<T extends KubeObject>(
  kind: string,
  strategy: ResourceStrategy<T> = statusStrategy<T>(),
): SubresourceDefinition<T> {
  return { kind, verbs: ['get', 'patch', 'update'], strategy, resetFields: ['spec'] };
}

/** autoscaling/v1 Scale of a workload: generic get, update and patch of `spec.replicas`. */
export const scaleSubresource = {
  kind: 'Scale',
  group: 'autoscaling',
  version: 'v1',
  verbs: ['get', 'patch', 'update'],
} satisfies SubresourceDefinition<KubeObject>;
