import type { Json, JsonObject } from '@skiff/apimachinery';

/** One write: a POST of `object`, or after it a PUT of what it became with `change` merged in (RFC 7386). */
export interface GoldenCase {
  readonly name: string;
  /** Value exported from this package: `pod`, `replicaSet`. */
  readonly resource: string;
  readonly object: JsonObject;
  readonly change?: JsonObject;
  readonly subresource?: string;
}

type More = Pick<GoldenCase, 'change' | 'subresource'>;

/** Cases of one kind: `one('pod')('no name', {…})`. The object is called `x` unless it says otherwise. */
export const one =
  (resource: string) =>
  (name: string, object: JsonObject, more: More = {}): GoldenCase => ({
    name: `${resource}: ${name}`,
    resource,
    object: { ...object, metadata: { name: 'x', ...(object['metadata'] as JsonObject | undefined) } },
    ...more,
  });

/** The answer of an upstream kube-apiserver (1.36.2) to the case of the same name. */
export interface Recorded {
  readonly name: string;
  readonly object?: JsonObject;
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string; readonly causes?: Json };
  readonly warnings: readonly string[];
}

const volatileMetadata = ['uid', 'creationTimestamp', 'resourceVersion', 'managedFields', 'selfLink'];
const times = new Set(['lastTransitionTime', 'lastPhaseTransitionTime', 'lastUpdateTime']);

/** Takes out what differs from run to run; an absent list that is never left out is null there and empty here. `uid`: the object's own, wherever it shows up. */
export function stable(object: JsonObject): JsonObject {
  const uid = (object['metadata'] as JsonObject | undefined)?.['uid'];
  const copy = JSON.parse(JSON.stringify(object), (key, value: Json) => {
    if (value === null || (Array.isArray(value) && value.length === 0)) return null;
    if (times.has(key) && typeof value === 'string') return 'TIME';
    return typeof uid === 'string' && value === uid ? 'UID' : value;
  }) as JsonObject;
  const meta = copy['metadata'] as JsonObject | undefined;
  for (const field of volatileMetadata) if (meta) delete meta[field];
  return copy;
}

/** Allocated by the apiserver, or told of the client, which is not what is compared here. */
export function withoutAllocations(object: JsonObject): JsonObject {
  if (object['kind'] === 'CertificateSigningRequest') delete (object['spec'] as JsonObject)['extra'];
  if (object['kind'] !== 'Service') return object;
  const spec = object['spec'] as JsonObject;
  for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'healthCheckNodePort']) delete spec[field];
  for (const port of (spec['ports'] ?? []) as JsonObject[]) delete port['nodePort'];
  return object;
}
