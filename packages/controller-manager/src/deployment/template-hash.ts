import type { PodTemplateSpec } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { semanticEqual } from '../semantic-equality.ts';

export const podTemplateHashLabel = 'pod-template-hash';

const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Keys sorted, nulls and empty lists left out: the same for templates that are semantically equal. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined && v !== null && !(Array.isArray(v) && v.length === 0));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, canonical(v)]));
}

function fnv32a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Hash of any API data in the letters that generated names use; `collisionCount` makes another one. */
export function computeHash(data: unknown, collisionCount: number | undefined): string {
  const text = JSON.stringify(canonical(data)) + (collisionCount === undefined ? '' : `\0${collisionCount}`);
  return String(fnv32a(Buffer.from(text))).replace(/\d/g, (digit) => alphabet[digit.charCodeAt(0) % alphabet.length] ?? '');
}

/** Whether two templates run the same: the hash label of ReplicaSets aside. */
export function sameTemplate(a: DeepReadonly<PodTemplateSpec> | undefined, b: DeepReadonly<PodTemplateSpec> | undefined): boolean {
  return semanticEqual(withoutHash(a), withoutHash(b));
}
function withoutHash(template: DeepReadonly<PodTemplateSpec> | undefined): unknown {
  const { [podTemplateHashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {};
  return { metadata: { ...template?.metadata, labels }, spec: template?.spec };
}
