import type { CelType } from './types.ts';
import { CelList, CelMap, Duration, Opaque, Optional, Timestamp, TypeValue, Uint, type Value } from './values.ts';

/** Whether a value may stand where a type is declared. Elements are not looked at. */
export function fits(t: CelType, v: Value): boolean {
  switch (t.kind) {
    case 'dyn':
    case 'any':
    case 'param':
      return true;
    case 'null':
      return v === null;
    case 'bool':
      return typeof v === 'boolean';
    case 'int':
      return typeof v === 'bigint';
    case 'uint':
      return v instanceof Uint;
    case 'double':
      return typeof v === 'number';
    case 'string':
      return typeof v === 'string';
    case 'bytes':
      return v instanceof Uint8Array;
    case 'timestamp':
      return v instanceof Timestamp;
    case 'duration':
      return v instanceof Duration;
    case 'list':
      return v instanceof CelList && (t.element.kind === 'param' || v.size === 0 || fits(t.element, v.at(0)));
    case 'map':
      return v instanceof CelMap;
    case 'object':
      // Objects made of JSON have no name.
      return v instanceof CelMap
        ? v.typeName === undefined || v.typeName === t.name
        : v instanceof Opaque && v.type.kind === 'object' && v.type.name === t.name;
    case 'opaque':
      if (t.name === 'optional_type') return v instanceof Optional;
      return v instanceof Opaque && v.type.kind === 'opaque' && v.type.name === t.name;
    case 'type':
      return v instanceof TypeValue;
    case 'error':
      return false;
  }
}
