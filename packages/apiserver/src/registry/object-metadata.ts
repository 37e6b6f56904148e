import { randomBytes, randomUUID } from 'node:crypto';
import { badRequest, type KubeObject, type ObjectMeta, type OwnerReference, type ResourceDefinition } from '@skiff/apimachinery';

/** The object's metadata, made where it has none. */
export function metadataOf(object: KubeObject): ObjectMeta {
  object.metadata ??= {};
  return object.metadata;
}

/** Clears what only the server may say about a new object. */
export function wipeSystemFields(meta: ObjectMeta): void {
  delete meta.uid;
  delete meta.creationTimestamp;
  delete meta.deletionTimestamp;
  delete meta.deletionGracePeriodSeconds;
  delete meta.selfLink;
}

/** `now`: RFC 3339, seconds. */
export function fillSystemFields(meta: ObjectMeta, now: string): void {
  meta.creationTimestamp = now;
  meta.uid = randomUUID();
}

const generatedSuffix = 5;
const maxGeneratedBase = 63 - generatedSuffix;
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** `base` and five random characters that spell nothing, 63 at the most. */
export function generateName(base: string): string {
  let name = base.slice(0, maxGeneratedBase);
  for (const byte of randomBytes(generatedSuffix)) name += suffixAlphabet[byte % suffixAlphabet.length] ?? '';
  return name;
}

/** The namespace of the request is the object's: filled in where absent, refused where different. Throws BadRequest. */
export function ensureNamespace(meta: ObjectMeta, d: ResourceDefinition, requestNamespace: string): void {
  const expected = d.scope === 'Namespaced' ? requestNamespace : '';
  if ((meta.namespace ?? '') === expected) return;
  if (!meta.namespace) meta.namespace = expected;
  else if (expected === '') delete meta.namespace;
  else throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/** The name of the body must be the URL's. Throws BadRequest. */
export function checkName(meta: ObjectMeta, name: string, namespace: string): void {
  if (!meta.name) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (meta.name !== name) throw badRequest(`the name of the object (${meta.name}) does not match the name on the URL (${name})`);
  if (namespace !== '' && meta.namespace && meta.namespace !== namespace) {
    throw badRequest(`the namespace of the object (${meta.namespace}) does not match the namespace on the request (${namespace})`);
  }
}

/** Drops repeated owner references and says so, as upstream does since 1.20. */
export function dedupOwnerReferences(meta: ObjectMeta, warnings: string[], afterMutation: boolean): void {
  const references = meta.ownerReferences;
  if (references === undefined || references.length < 2) return;
  const kept: OwnerReference[] = [];
  const seen = new Set<string>();
  const duplicates: string[] = [];
  for (const reference of references) {
    const identity = JSON.stringify([
      reference.apiVersion,
      reference.kind,
      reference.name,
      reference.uid,
      reference.controller ?? null,
      reference.blockOwnerDeletion ?? null,
    ]);
    if (seen.has(identity)) duplicates.push(reference.uid);
    else kept.push(reference);
    seen.add(identity);
  }
  if (duplicates.length === 0) return;
  meta.ownerReferences = kept;
  const when = afterMutation ? ' after mutating admission happens' : '';
  warnings.push(
    `.metadata.ownerReferences contains duplicate entries${when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${duplicates.join(', ')}`,
  );
}
