/** Custom objects against the rules of their schema, within a budget for each request. */

import {
  type DeepReadonly,
  type FieldErrorReason,
  FieldErrors,
  formatBadValue,
  formatFieldError,
  type Json,
  jsonEqual,
  type JsonObject,
  type StructuralSchema,
} from '@skiff/apimachinery';
import { adapt } from '../adapt.ts';
import { CostLimitExceeded, type Variables } from '../frame.ts';
import { CelError, none, Optional, type Value } from '../values.ts';
import { type CompiledRule, compileRules } from './compile-rules.ts';
import { additionalOf, hasRules, type SchemaType, schemaType, selfTypeName } from './schema-type.ts';

/** Cost units of one evaluation. */
const perCallLimit = 1_000_000;
/** Of all the rules that one request runs. */
const requestBudget = 10_000_000;
const maxMessageBytes = 5 * 1024;

type ReadonlyJson = DeepReadonly<Json>;
type ReadonlyObject = DeepReadonly<JsonObject>;
const isObject = (v: ReadonlyJson | undefined): v is ReadonlyObject => typeof v === 'object' && v !== null && !Array.isArray(v);

/** A node of a schema that has rules, or has them below. */
interface RuleNode {
  readonly schema: StructuralSchema;
  readonly declared: SchemaType | undefined;
  readonly rules: readonly CompiledRule[];
  readonly items: RuleNode | undefined;
  readonly additional: RuleNode | undefined;
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly allOf: readonly RuleNode[];
}

export interface RuleValidation {
  /** `old`: the object before an update. Errors that an update did not cause are told through `warn` instead. */
  readonly object: ReadonlyJson;
  readonly old?: ReadonlyJson | undefined;
  readonly errors: FieldErrors;
  readonly warn: (text: string) => void;
}
export interface SchemaRules {
  /** Does a bit of the work with each step, so that the caller can let others run in between. */
  validate(v: RuleValidation): Generator<void, void>;
}

/**
 * The rules of a custom kind's schema, or of a part of it; undefined when it has none. They are compiled when they are first used.
 * `field`: where the part stands.
 */
export function createSchemaRules(
  schema: StructuralSchema,
  { field = '', resourceRoot = true }: { readonly field?: string; readonly resourceRoot?: boolean } = {},
): SchemaRules | undefined {
  if (!hasRules(schema)) return undefined;
  let root: RuleNode | undefined;
  return {
    *validate(v) {
      root ??= yield* ruleNode(schema, schema, resourceRoot);
      if (root !== undefined)
        yield* new Validation(v).node(root, v.object, v.old, { path: field, correlation: correlate(v.object, v.old) });
    },
  };
}

/** `values`: where the rules stand (a branch of allOf, perhaps); `s`: the node of the schema itself. */
function* ruleNode(values: StructuralSchema, s: StructuralSchema, resourceRoot: boolean): Generator<void, RuleNode | undefined> {
  if (!hasRules(values)) return undefined;
  const own = values['x-kubernetes-validations'] ?? [];
  const declared = own.length === 0 ? undefined : schemaType(s, resourceRoot, selfTypeName());
  const rules: CompiledRule[] = [];
  if (declared !== undefined) {
    for (const rule of compileRules({ ...s, 'x-kubernetes-validations': own }, declared)) {
      rules.push(rule);
      yield;
    }
  }
  const properties = new Map<string, RuleNode>();
  for (const [name, v] of Object.entries(values.properties ?? {})) {
    const node = yield* childNode(v, s.properties !== undefined && Object.hasOwn(s.properties, name) ? s.properties[name] : undefined);
    if (node !== undefined) properties.set(name, node);
  }
  const allOf: RuleNode[] = [];
  for (const branch of values.allOf ?? []) {
    const node = yield* ruleNode(branch, s, resourceRoot);
    if (node !== undefined) allOf.push(node);
  }
  const items = yield* childNode(values.items, s.items);
  return { schema: s, declared, rules, items, additional: yield* childNode(additionalOf(values), additionalOf(s)), properties, allOf };
}
function* childNode(v: StructuralSchema | undefined, n: StructuralSchema | undefined): Generator<void, RuleNode | undefined> {
  return v === undefined || n === undefined ? undefined : yield* ruleNode(v, n, n['x-kubernetes-embedded-resource'] === true);
}

/** What stood here before, where that can be told; `same`: nothing changed here. */
interface Correlation {
  readonly old: ReadonlyJson | undefined;
  readonly same: boolean;
}
function correlate(value: ReadonlyJson, old: ReadonlyJson | undefined): Correlation | undefined {
  return old === undefined ? undefined : { old, same: jsonEqual(value as Json, old as Json) };
}
interface Place {
  readonly path: string;
  /** Of this node, or of the nearest ancestor that has one. */
  readonly correlation: Correlation | undefined;
}

/** Stops all further rules: the error is recorded. */
class BudgetUsedUp extends Error {}

class Validation {
  readonly #v: RuleValidation;
  #budget = requestBudget;

  constructor(v: RuleValidation) {
    this.#v = v;
  }

  *node(n: RuleNode, value: ReadonlyJson, old: ReadonlyJson | undefined, place: Place): Generator<void, void> {
    try {
      yield* this.#visit(n, value, old, place);
    } catch (e) {
      if (!(e instanceof BudgetUsedUp)) throw e;
    }
  }

  *#visit(n: RuleNode, value: ReadonlyJson, old: ReadonlyJson | undefined, place: Place): Generator<void, void> {
    if (value === null) return;
    if (n.rules.length > 0) yield* this.#rules(n, value, old ?? undefined, place);
    for (const branch of n.allOf) yield* this.#visit(branch, value, old, { ...place, correlation: undefined });
    if (Array.isArray(value)) yield* this.#array(n, value as readonly ReadonlyJson[], old, place);
    else if (isObject(value)) yield* this.#object(n, value, old, place);
  }

  *#array(n: RuleNode, value: readonly ReadonlyJson[], old: ReadonlyJson | undefined, place: Place): Generator<void, void> {
    if (n.items === undefined) return;
    const before = oldItems(n.schema, old);
    for (const [i, item] of value.entries()) {
      const oldItem = before(item);
      const correlation = oldItem === undefined ? place.correlation : correlate(item, oldItem);
      yield* this.#visit(n.items, item, oldItem, { path: `${place.path}[${i}]`, correlation });
    }
  }

  *#object(n: RuleNode, value: ReadonlyObject, old: ReadonlyJson | undefined, place: Place): Generator<void, void> {
    if (n.additional === undefined && n.properties.size === 0) return;
    for (const key of Object.keys(value)) {
      const named = n.properties.get(key);
      const below = named ?? n.additional;
      if (below === undefined) continue;
      const v = value[key]!;
      const oldValue = isObject(old) && Object.hasOwn(old, key) ? old[key] : undefined;
      const path = named === undefined ? `${place.path}[${key}]` : place.path === '' ? key : `${place.path}.${key}`;
      yield* this.#visit(below, v, oldValue, { path, correlation: oldValue === undefined ? place.correlation : correlate(v, oldValue) });
    }
  }

  *#rules(n: RuleNode, value: ReadonlyJson, old: ReadonlyJson | undefined, place: Place): Generator<void, void> {
    const { errors } = this.#v;
    const field = place.path === '' ? '<nil>' : place.path;
    const fail = (detail: string): void => errors.invalid(field, n.schema.type ?? '', detail);
    if (this.#budget <= 0) {
      fail('validation failed due to running out of cost budget, no further validation rules will be run');
      throw new BudgetUsedUp();
    }
    const { type } = n.declared!;
    const self = adapt(value, type);
    const oldSelf = old === undefined ? undefined : adapt(old, type);
    for (const rule of n.rules) {
      if (rule.error !== undefined) fail(`rule compile error: ${rule.error}`);
      if (rule.program === undefined) continue;
      const optional = rule.rule.optionalOldSelf === true;
      if (rule.usesOldSelf && oldSelf === undefined && !optional) continue;
      const variables = variablesOf(self, oldSelf, optional);
      const result = this.#evaluate(rule, variables, fail);
      if (result instanceof CelError) fail(evaluationError(result.message, rule));
      else if (result !== true) this.#refuse(n, rule, value, variables, place);
      yield;
    }
  }

  #evaluate(rule: CompiledRule, variables: Variables, fail: (detail: string) => void): Value {
    try {
      const { value, cost } = rule.program!.evaluate(variables, perCallLimit);
      if (cost > this.#budget) {
        fail('validation failed due to running out of cost budget, no further validation rules will be run');
        throw new BudgetUsedUp();
      }
      this.#budget -= cost;
      return value;
    } catch (e) {
      if (!(e instanceof CostLimitExceeded)) throw e;
      if (perCallLimit > this.#budget) fail('validation failed due to running out of cost budget, no further validation rules will be run');
      else fail(`'${e.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${ruleText(rule)}`);
      throw new BudgetUsedUp();
    }
  }

  #refuse(n: RuleNode, rule: CompiledRule, value: ReadonlyJson, variables: Variables, place: Place): void {
    const path = rule.fieldPath === undefined ? place.path : join(place.path, rule.fieldPath);
    const field = path === '' ? '<nil>' : path;
    const one = new FieldErrors();
    let usedUp = false;
    const message = this.#message(rule, variables, (detail) => {
      one.invalid(field, n.schema.type ?? '', detail);
      usedUp = true;
    });
    if (!usedUp) {
      const whole = n.schema.type === 'object' || n.schema.type === 'array';
      addForReason(one, field, rule.rule.reason, { value: whole ? undefined : formatBadValue(value), detail: message });
    }
    for (const e of one.list) {
      if (!rule.usesOldSelf && place.correlation?.same === true) this.#v.warn(formatFieldError(e));
      else this.#v.errors.list.push(e);
    }
    if (usedUp) throw new BudgetUsedUp();
  }

  /** What the rule says about its failure: its messageExpression if that works, else its message. */
  #message(rule: CompiledRule, variables: Variables, fail: (detail: string) => void): string {
    const otherwise = rule.rule.message ? rule.rule.message.trim() : `failed rule: ${ruleText(rule)}`;
    if (rule.message === undefined) return otherwise;
    try {
      const { value, cost } = rule.message.evaluate(variables, perCallLimit);
      if (cost > this.#budget) {
        fail('messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run');
        return otherwise;
      }
      this.#budget -= cost;
      const text = typeof value === 'string' ? value.trim() : '';
      return text === '' || text.includes('\n') || Buffer.byteLength(text) > maxMessageBytes ? otherwise : text;
    } catch (e) {
      if (!(e instanceof CostLimitExceeded)) throw e;
      const source = JSON.stringify(rule.rule.messageExpression);
      fail(`no further validation rules will be run due to call cost exceeds limit for messageExpression: ${source}`);
      return otherwise;
    }
  }
}

function variablesOf(self: Value, oldSelf: Value | undefined, optional: boolean): Variables {
  if (optional) return { self, oldSelf: oldSelf === undefined ? none : new Optional(oldSelf) };
  return oldSelf === undefined ? { self } : { self, oldSelf };
}

const join = (path: string, below: string): string => (path === '' || below.startsWith('[') ? `${path}${below}` : `${path}.${below}`);
const ruleText = (r: CompiledRule): string => (r.rule.message ? r.rule.message : r.rule.rule).trim();

function evaluationError(message: string, rule: CompiledRule): string {
  if (!message.startsWith('no such overload')) return `${message} evaluating rule: ${ruleText(rule)}`;
  return `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${ruleText(rule)}`;
}

function addForReason(
  errors: FieldErrors,
  field: string,
  reason: string | undefined,
  o: { readonly value: string | undefined; readonly detail: string },
): void {
  const { detail } = o;
  const value = o.value === undefined ? '' : `: ${o.value}`;
  const known: Readonly<Record<string, readonly [FieldErrorReason, string]>> = {
    FieldValueForbidden: ['FieldValueForbidden', `Forbidden: ${detail}`],
    FieldValueRequired: ['FieldValueRequired', `Required value: ${detail}`],
    FieldValueDuplicate: ['FieldValueDuplicate', `Duplicate value${value}`],
  };
  const [kind, body] = known[reason ?? ''] ?? ['FieldValueInvalid', `Invalid value${value}: ${detail}`];
  errors.add(kind, field, body);
}

/** Finds the item that an item of a list by keys was before. Items of other lists can't be told apart. */
function oldItems(s: StructuralSchema, old: ReadonlyJson | undefined): (item: ReadonlyJson) => ReadonlyJson | undefined {
  const keys = s['x-kubernetes-list-type'] === 'map' ? s['x-kubernetes-list-map-keys'] : undefined;
  if (keys === undefined || !Array.isArray(old)) return () => undefined;
  const identity = (item: ReadonlyJson): string | undefined =>
    isObject(item) ? JSON.stringify(keys.map((k) => item[k] ?? s.items?.properties?.[k]?.default ?? null)) : undefined;
  const known = new Map<string | undefined, ReadonlyJson>();
  for (const item of old as readonly ReadonlyJson[]) known.set(identity(item), item);
  return (item) => (isObject(item) ? known.get(identity(item)) : undefined);
}
