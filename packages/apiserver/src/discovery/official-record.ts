/**
 * What tests know of upstream's documents where these are not at hand: a digest of each, in a file beside the test. It is written by
 * `SKIFF_RECORD_ORACLE=1` where the documents are, and compared with them there.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

export type Digests = Readonly<Record<string, string>>;

/** Equal for values that are equal but for the order of keys. */
export function digestOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(inOrder(value)))
    .digest('hex')
    .slice(0, 16);
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, v]) => [key, inOrder(v)]),
  );
}

export const readRecord = (file: URL): Digests => JSON.parse(readFileSync(file, 'utf8')) as Digests;

/** Reads the record of official documents, after writing it when that is asked for. */
export function refreshRecord(file: URL, official: Digests): Digests {
  if (process.env['SKIFF_RECORD_ORACLE'] !== undefined) writeFileSync(file, `${JSON.stringify(official, undefined, 2)}\n`);
  return readRecord(file);
}
