import type { Json, JsonObject } from '@skiff/apimachinery';
import { formatTimestamp } from '../time-values.ts';
import { typeName } from '../types.ts';
import { CelError, CelList, CelMap, Duration, Opaque, Timestamp, Uint, type Value } from '../values.ts';

/** A value that JSON has no form for. */
export class NotJsonError extends Error {
  override readonly name = 'NotJsonError';
}

const nanosecondsPerSecond = 1_000_000_000n;

function durationText({ nanoseconds }: Duration): string {
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = String(size % nanosecondsPerSecond)
    .padStart(9, '0')
    .replace(/(?:000)+$/, '');
  return `${nanoseconds < 0n ? '-' : ''}${size / nanosecondsPerSecond}${fraction === '' ? '' : `.${fraction}`}s`;
}

/** More than any object that can be stored has; a value may name one part of itself many times over. */
const maxElements = 200_000;

const integer = (n: bigint): Json => (n >= BigInt(Number.MIN_SAFE_INTEGER) && n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n);

function mapToJson(map: CelMap, plain: boolean, budget: Budget): JsonObject {
  const out: JsonObject = {};
  for (const key of map.keys()) {
    if (typeof key !== 'string') throw new NotJsonError(`map key ${String(key)} is not a string`);
    Object.defineProperty(out, key, {
      value: convert(map.find(key) ?? null, plain, budget),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return out;
}

interface Budget {
  left: number;
}

/** A value as JSON: times as texts, bytes in base64; or with `plain` none of these, nor null. Throws NotJsonError. */
export const toJson = (value: Value, plain = false): Json => convert(value, plain, { left: maxElements });

function convert(value: Value, plain: boolean, budget: Budget): Json {
  budget.left -= 1;
  if (budget.left < 0) throw new NotJsonError(`the value has more than ${maxElements} elements`);
  if (plain && (value === null || value instanceof Uint8Array || value instanceof Timestamp || value instanceof Duration)) {
    throw new NotJsonError(`a field can't be set to ${value === null ? 'null' : 'bytes or a time'}`);
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  if (typeof value === 'bigint') return integer(value);
  if (value instanceof Uint) return integer(value.value);
  if (value instanceof CelList) return [...value.values()].map((element) => convert(element, plain, budget));
  if (value instanceof CelMap) return mapToJson(value, plain, budget);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Timestamp) return formatTimestamp(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof CelError) throw new NotJsonError(value.message);
  throw new NotJsonError(value instanceof Opaque ? `a ${typeName(value.type)} has no form in JSON` : 'the value has no form in JSON');
}
