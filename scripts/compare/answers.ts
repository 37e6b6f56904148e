import type { Json, JsonObject } from '@skiff/apimachinery';
import type { Answer } from './client.ts';

const uuid = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const volatileMetadata = ['uid', 'creationTimestamp', 'resourceVersion'];
/** What only this project says: of what it stores and does not act on. */
const ownWarning = /is stored, but|: not enforced|nothing acts on it|not yet enforced|: not supported; the field was dropped/;

/** Each once, in one order: upstream says some things twice, and has the order of Go's maps where causes come from one. */
const sortedCauses = (causes: Json): Json =>
  Array.isArray(causes) ? [...new Set(causes.map((c) => JSON.stringify(c)))].toSorted() : causes;

function withoutAllocations(object: JsonObject): void {
  if (object['kind'] === 'CertificateSigningRequest') delete (object['spec'] as JsonObject)['extra'];
  if (object['kind'] !== 'Service') return;
  const spec = (object['spec'] ?? {}) as JsonObject;
  for (const field of ['clusterIP', 'clusterIPs'])
    if (spec[field] !== undefined && JSON.stringify(spec[field]).includes('10.')) spec[field] = 'ALLOCATED';
  if (spec['healthCheckNodePort'] !== undefined) spec['healthCheckNodePort'] = 'ALLOCATED';
  for (const port of (spec['ports'] ?? []) as JsonObject[]) if (port['nodePort'] !== undefined) port['nodePort'] = 'ALLOCATED';
}

/**
 * What two servers should agree on: everything but identities, times, revisions and what they choose freely. What is empty and what is
 * absent is the same in memory here, and so in messages that show values.
 */
export function comparable(a: Answer): Json {
  const text = JSON.stringify(a.body)
    .replaceAll(uuid, 'UID')
    .replaceAll(/a{100,}/g, 'a…a')
    .replaceAll(/(?<=(?:Invalid|Unsupported) value: )(?:\{\}|\[\])/g, 'null')
    .replaceAll(/(?<=\\":)(?:\{\}|\[\])/g, 'null');
  const body = JSON.parse(text) as JsonObject;
  const warnings = a.warnings.filter((w) => !ownWarning.test(w));
  if (body['kind'] === 'Status') {
    const details = (body['details'] ?? {}) as JsonObject;
    const causes = sortedCauses(details['causes'] ?? null);
    const message = String(body['message'] ?? '')
      .replaceAll(time, 'TIME')
      .replaceAll(/resource[vV]ersion:? ?"?\d+"?/g, 'REVISION');
    // A message lists its causes in their order.
    const sentences = Array.isArray(causes) && causes.length > 1 ? message.split(/, (?=[a-z[])|: \[/).toSorted() : message;
    return { code: a.code, reason: body['reason'] ?? null, text: sentences, details: { ...details, causes }, warnings };
  }
  const meta = (body['metadata'] ?? {}) as JsonObject;
  for (const field of volatileMetadata) delete meta[field];
  for (const entry of (meta['managedFields'] ?? []) as JsonObject[]) delete entry['time'];
  withoutAllocations(body);
  return { code: a.code, warnings, body };
}

const short = (value: Json | undefined): string => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
};
const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Where two values differ: `path: left → right`. The order of fields counts. */
export function differences(a: Json | undefined, b: Json | undefined, path = ''): string[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length)
    return a.flatMap((item, i) => differences(item, b[i], `${path}[${i}]`));
  if (!isObject(a) || !isObject(b)) return [`${path}: ${short(a)} → ${short(b)}`];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const found = keys.flatMap((key) => differences(a[key], b[key], `${path}.${key}`));
  return found.length > 0 ? found : [`${path}: fields in another order: ${Object.keys(a).join(' ')} → ${Object.keys(b).join(' ')}`];
}
