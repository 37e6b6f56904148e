import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  errorType,
  intType,
  listOf,
  mapOf,
  nullType,
  objectType,
  optionalOf,
  stringType,
  timestampType,
  typeOf,
  uintType,
} from './types.ts';
import { CelList, CelMap, Duration, Opaque, Optional, Timestamp, TypeValue, Uint, type Value } from './values.ts';

const anyList = listOf(dynType);
const anyMap = mapOf(dynType, dynType);
const anyOptional = optionalOf(dynType);

/** `type(v)`: without the types of elements. */
export function typeOfValue(v: Value): CelType {
  if (v === null) return nullType;
  if (typeof v === 'boolean') return boolType;
  if (typeof v === 'bigint') return intType;
  if (typeof v === 'number') return doubleType;
  if (typeof v === 'string') return stringType;
  if (v instanceof Uint8Array) return bytesType;
  if (v instanceof Uint) return uintType;
  if (v instanceof Timestamp) return timestampType;
  if (v instanceof Duration) return durationType;
  if (v instanceof TypeValue) return typeOf(undefined);
  if (v instanceof Optional) return anyOptional;
  if (v instanceof CelList) return anyList;
  if (v instanceof CelMap) return v.typeName === undefined ? anyMap : objectType(v.typeName);
  return v instanceof Opaque ? v.type : errorType;
}
