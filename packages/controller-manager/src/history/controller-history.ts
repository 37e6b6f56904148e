import { controllerRevision, type ControllerRevision, type PodTemplateSpec } from '@skiff/api';
import { hasReason, type DeepReadonly, type Json, type JsonObject, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import type { ReconcileContext } from '@skiff/client';
import { computeHash } from '../deployment/template-hash.ts';
import { controllerReference } from '../owner-references.ts';
import { semanticEqual } from '../semantic-equality.ts';

export type RevisionView = DeepReadonly<ControllerRevision>;
export type TemplateView = DeepReadonly<PodTemplateSpec>;

/** Label of pods and revisions that tells which template they are of. */
export const revisionHashLabel = 'controller-revision-hash';

/** A copy with the keys of all objects in order. */
function sortKeys(value: DeepReadonly<Json>): Json {
  if (Array.isArray(value)) return value.map((v: DeepReadonly<Json>) => sortKeys(v));
  if (typeof value !== 'object' || value === null) return value as Json;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sortKeys((value as DeepReadonly<JsonObject>)[key] as DeepReadonly<Json>)]));
}

/**
 * What a revision holds: a strategic merge patch that brings the template back (`kubectl rollout undo` applies it). Clients tell by
 * its bytes whether it is the one of the current template, so keys are sorted as in what they make themselves.
 */
export const revisionData = (template: TemplateView | undefined): Json =>
  sortKeys({ spec: { template: { ...(template as DeepReadonly<JsonObject> | undefined), $patch: 'replace' } } });

/** The template a revision holds. */
export function templateOf(revision: RevisionView): PodTemplateSpec {
  const data = revision.data as { spec?: { template?: JsonObject } } | null | undefined;
  const { $patch: _patch, ...template } = structuredClone(data?.spec?.template ?? {});
  return template as unknown as PodTemplateSpec;
}

export const holds = (revision: RevisionView, template: TemplateView | undefined): boolean =>
  semanticEqual(templateOf(revision), template ?? {});

/** The oldest first. */
export function byRevisionNumber(a: RevisionView, b: RevisionView): number {
  const order = (r: RevisionView): string => `${r.metadata?.creationTimestamp ?? ''} ${r.metadata?.name ?? ''}`;
  return a.revision - b.revision || (order(a) < order(b) ? -1 : 1);
}

export interface RevisionOwner {
  readonly owner: DeepReadonly<KubeObject>;
  readonly resource: ResourceRef;
  readonly template: TemplateView | undefined;
  readonly collisionCount: number | undefined;
  /** Labels of new revisions, given the hash. */
  readonly labels: (hash: string) => Record<string, string>;
}

export interface CreatedRevision {
  readonly revision: RevisionView;
  readonly collisionCount: number | undefined;
}

/** Stores the owner's template as a revision. A name that another template has is avoided by counting collisions. */
export async function createRevision(
  o: RevisionOwner,
  number: number,
  run: Pick<ReconcileContext, 'client' | 'signal'>,
): Promise<CreatedRevision> {
  let collisionCount = o.collisionCount;
  for (;;) {
    const hash = computeHash(revisionData(o.template), collisionCount);
    const { namespace = '', name = '', annotations = {} } = o.owner.metadata ?? {};
    const draft: ControllerRevision = {
      metadata: {
        namespace,
        name: `${name.slice(0, 223)}-${hash}`,
        labels: o.labels(hash),
        annotations: { ...annotations },
        ownerReferences: [controllerReference(o.owner, o.resource)],
      },
      data: revisionData(o.template),
      revision: number,
    };
    try {
      return { revision: await run.client.create(controllerRevision, draft, { signal: run.signal }), collisionCount };
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
      const existing = await run.client.get(controllerRevision, { namespace, name: draft.metadata?.name ?? '' }, { signal: run.signal });
      if (holds(existing, o.template)) return { revision: existing, collisionCount };
      collisionCount = (collisionCount ?? 0) + 1;
    }
  }
}

export async function renumber(
  revision: RevisionView,
  number: number,
  run: Pick<ReconcileContext, 'client' | 'signal'>,
): Promise<RevisionView> {
  return await run.client.update(
    controllerRevision,
    { ...(structuredClone(revision) as ControllerRevision), revision: number },
    { signal: run.signal },
  );
}

/** Deletes the oldest revisions beyond `limit` that no pod is of. */
export async function truncateHistory(
  o: { old: readonly RevisionView[]; limit: number; isLive: (r: RevisionView) => boolean },
  run: Pick<ReconcileContext, 'client' | 'signal'>,
): Promise<void> {
  const dead = o.old.filter((r) => !o.isLive(r)).sort(byRevisionNumber);
  for (const revision of dead.slice(0, Math.max(0, dead.length - o.limit))) {
    const { namespace = '', name = '', uid = '' } = revision.metadata ?? {};
    try {
      await run.client.delete(controllerRevision, { namespace, name }, { preconditions: { uid }, signal: run.signal });
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    }
  }
}
