import { goValueText } from '../go-value-text.ts';
import type { Json, JsonObject } from '../object.ts';
import { emptySet, type FieldSet, makeNode } from './field-set.ts';
import { elementOf, ListElementError } from './list-elements.ts';
import { type MergeList, type MergeMap, type MergeType, untyped } from './merge-type.ts';
import { formatPath } from './path-element.ts';

const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A configuration that does not fit its type; the message is structured-merge-diff's. */
export class TypedError extends Error {
  override readonly name = 'TypedError';
}

/** Reads the fields that a configuration mentions, and checks on the way that it fits the type, without duplicates in sets. */
class Reader {
  readonly errors: string[] = [];
  readonly #path: string[] = [];

  #fail(message: string): void {
    const path = formatPath(this.#path);
    this.errors.push(path === '' ? message : `${path}: ${message}`);
  }

  /** The node of what is at and below the value; `self`: it is itself in the set. */
  node(type: MergeType, value: Json, self: boolean): FieldSet | undefined {
    switch (type.kind) {
      case 'scalar':
        this.#checkScalar(type.scalar, value);
        return makeNode(true, undefined);
      case 'list':
        return this.#list(type, value, self);
      case 'map':
        return this.#map(type, value, self);
      case 'untyped':
        return isObject(value)
          ? makeNode(self || Object.keys(value).length === 0, this.children(freeMap, value))
          : makeNode(true, undefined);
    }
  }

  #checkScalar(scalar: 'string' | 'numeric' | 'boolean' | 'any', value: Json): void {
    if (value === null) return;
    const is = typeof value;
    const isNumber = is === 'number' || is === 'bigint';
    if (scalar === 'numeric' && !isNumber) this.#fail(`expected numeric (int or float), got ${goType(value)}`);
    else if (scalar === 'string' && is !== 'string')
      this.#fail(`expected string, got &value.valueUnstructured{Value:${goValueText(value)}}`);
    else if (scalar === 'boolean' && is !== 'boolean') this.#fail(`expected boolean, got &{${goValueText(value)}}`);
    else if (scalar === 'any' && !isNumber && is !== 'string' && is !== 'boolean')
      this.#fail(`expected any scalar, got &{${goValueText(value)}}`);
  }

  #map(type: MergeMap, value: Json, self: boolean): FieldSet | undefined {
    if (value !== null && !isObject(value)) {
      this.#fail(`expected map, got &{${goValueText(value)}}`);
      return undefined;
    }
    if (value === null) return makeNode(self || type.atomic, undefined);
    const children = this.children(type, value);
    if (type.atomic) return makeNode(true, undefined);
    return makeNode(self, children);
  }

  children(type: MergeMap, object: JsonObject): FieldSet | undefined {
    let out: FieldSet | undefined;
    for (const name in object) {
      const value = object[name];
      if (value === undefined) continue;
      const field = type.fields.get(name);
      const fieldType = field?.type ?? type.element;
      this.#path.push(`f:${name}`);
      if (fieldType === undefined) {
        // As upstream: the first of them ends the walk through this map.
        this.#fail('field not declared in schema');
        this.#path.pop();
        return out;
      }
      const isEmptyMap = isObject(value) && Object.keys(value).length === 0;
      const node = this.node(fieldType, value, value === null || isEmptyMap || field === undefined);
      if (node !== undefined) (out ??= {})[`f:${name}`] = node;
      this.#path.pop();
    }
    return out;
  }

  #list(type: MergeList, value: Json, self: boolean): FieldSet | undefined {
    if (value !== null && !Array.isArray(value)) {
      this.#fail(`expected list, got &{${goValueText(value)}}`);
      return undefined;
    }
    if (value === null) return makeNode(self || type.relation === 'atomic', undefined);
    const children = this.#items(type, value);
    if (type.relation === 'atomic') return makeNode(true, undefined);
    return makeNode(self, children);
  }

  #items(type: MergeList, items: readonly Json[]): FieldSet | undefined {
    let out: FieldSet | undefined;
    for (let i = 0; i < items.length; i++) {
      let element = `i:${i}`;
      if (type.relation !== 'atomic') {
        try {
          element = elementOf(type, items[i]!);
        } catch (e) {
          if (!(e instanceof ListElementError)) throw e;
          this.#fail(`element ${i}: ${e.message}`);
          continue;
        }
        if (out !== undefined && Object.hasOwn(out, element)) this.#fail(`duplicate entries for key ${formatPath([element])}`);
      }
      this.#path.push(element);
      const node = this.node(type.element, items[i]!, true);
      this.#path.pop();
      if (node !== undefined) (out ??= {})[element] = node;
    }
    return out;
  }
}

const freeMap: MergeMap = { kind: 'map', atomic: false, fields: new Map(), element: untyped, always: [] };

function goType(value: Json): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}';
}

/** The fields that an applied configuration mentions. Throws TypedError when it does not fit the type. */
export function appliedFields(type: MergeMap, object: JsonObject): FieldSet {
  const reader = new Reader();
  const set = reader.children(type, object) ?? emptySet;
  const { errors } = reader;
  if (errors.length === 1) throw new TypedError(errors[0]);
  if (errors.length > 1) throw new TypedError(['errors:', ...errors.map((e) => `  ${e}`)].join('\n'));
  return set;
}

/** The fields of an object that is known to fit its type. */
export function fieldsOf(type: MergeMap, object: JsonObject): FieldSet {
  return new Reader().children(type, object) ?? emptySet;
}
