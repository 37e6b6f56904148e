/** What a CustomResourceDefinition's rules must be like: their fields, that they compile, and what they may cost at most. */

import { FieldErrors, type SchemaRule, type StructuralSchema, validateAgainstSchema } from '@skiff/apimachinery';
import { maxUint64 } from '../cost-numbers.ts';
import { compileRules, type CompiledRule } from './compile-rules.ts';
import { normalizeFieldPath } from './field-path.ts';
import { additionalOf, schemaType, selfTypeName } from './schema-type.ts';
import { createSchemaRules } from './validate-rules.ts';

/** Cost units that a rule may cost at most, for all the values it has to look at. */
const ruleCostLimit = 10_000_000n;
/** The same for all rules of a schema. */
const schemaCostLimit = 100_000_000n;
const extension = 'x-kubernetes-validations';
const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

interface Place {
  readonly field: string;
  /** Undefined: a list or map without a limit is above. */
  readonly cardinality: bigint | undefined;
  /** The nearest ancestor whose elements can't be told apart after a change. */
  readonly uncorrelatable: string | undefined;
  readonly resourceRoot: boolean;
}
interface Cost {
  readonly field: string;
  readonly cost: bigint;
}

/**
 * Reports what is wrong with the rules of a schema at `field`, and defaults that break them. `structural`: the schema itself is in order;
 * only then are rules compiled. Each step is a rule or a default.
 */
export function* checkSchemaRules(
  schema: StructuralSchema,
  field: string,
  structural: boolean,
  errors: FieldErrors,
): Generator<void, void> {
  const before = errors.list.length;
  const nodes: (readonly [StructuralSchema, Place])[] = [];
  eachNode(schema, { field, cardinality: 1n, uncorrelatable: undefined, resourceRoot: true }, (s, place) => nodes.push([s, place]));
  if (structural) {
    for (const [s, place] of nodes) {
      if (s.default === undefined) continue;
      yield* checkDefault(s, place, errors);
      yield;
    }
  }
  const good = errors.list.length === before;
  const rules = nodes.filter(([s]) => (s[extension] ?? []).length > 0);
  for (const [s, place] of rules) {
    for (const [i, rule] of (s[extension] ?? []).entries()) checkFields(s, rule, `${place.field}.${extension}[${i}]`, errors);
  }
  if (!structural || !good || errors.list.length > before) return;
  const costs: Cost[] = [];
  for (const [s, place] of rules) yield* checkCompiled(s, place, costs, errors);
  checkTotal(costs, field, errors);
}

/** Rules hold for defaults too, where these are what the schema asks for. */
function* checkDefault(s: StructuralSchema, place: Place, errors: FieldErrors): Generator<void, void> {
  const { default: value } = s;
  if (value === undefined || value === null) return;
  const field = `${place.field}.default`;
  const before = errors.list.length;
  const rules = createSchemaRules(s, { field, resourceRoot: place.resourceRoot });
  if (rules === undefined) return;
  const bad = new FieldErrors();
  validateAgainstSchema(s, value, bad, { field });
  if (!bad.empty) return;
  const ignore = (): undefined => undefined;
  yield* rules.validate({ object: value, old: value, errors, warn: ignore });
  if (errors.list.length === before) yield* rules.validate({ object: value, errors, warn: ignore });
}

/** Children before their parents. */
function eachNode(s: StructuralSchema, place: Place, visit: (s: StructuralSchema, place: Place) => void): void {
  const { field } = place;
  const below = (child: StructuralSchema, at: string, forbidden: boolean): void => {
    const factor = cardinalityFactor(s);
    const cardinality = place.cardinality === undefined || factor === undefined ? undefined : capped(place.cardinality * factor);
    const uncorrelatable = place.uncorrelatable ?? (forbidden ? field : undefined);
    eachNode(child, { field: at, cardinality, uncorrelatable, resourceRoot: child['x-kubernetes-embedded-resource'] === true }, visit);
  };
  const values = additionalOf(s);
  if (values !== undefined) below(values, `${field}.additionalProperties`, false);
  for (const [name, property] of Object.entries(s.properties ?? {})) below(property, `${field}.properties[${name}]`, false);
  if (s.items !== undefined) below(s.items, `${field}.items`, s['x-kubernetes-list-type'] !== 'map');
  visit(s, place);
}

const capped = (n: bigint): bigint => (n > maxUint64 ? maxUint64 : n);

/** How many children of one kind a value may have; undefined: any number. */
function cardinalityFactor(s: StructuralSchema): bigint | undefined {
  const limit = (n: number | undefined): bigint | undefined => (n === undefined ? undefined : BigInt(Math.max(0, n)));
  if (s.type === 'array') return limit(s.maxItems);
  return s.type === 'object' && s.additionalProperties !== undefined ? limit(s.maxProperties) : 1n;
}

const hasNewlines = (text: string): boolean => /[\n\r]/.test(text);

function checkFields(s: StructuralSchema, r: SchemaRule, at: string, errors: FieldErrors): void {
  const rule = (r.rule ?? '').trim();
  const message = r.message?.trim() ?? '';
  if (rule === '') errors.required(`${at}.rule`, 'rule is not specified');
  else if (r.message && message === '') errors.invalid(`${at}.message`, r.message, 'must be non-empty if specified');
  else if (hasNewlines(message)) errors.invalid(`${at}.message`, r.message, 'must not contain line breaks');
  else if (hasNewlines(rule) && message === '') errors.required(`${at}.message`, 'message must be specified if rule contains line breaks');
  if (r.messageExpression && r.messageExpression.trim() === '') {
    errors.required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified');
  }
  if (r.reason !== undefined && !reasons.includes(r.reason)) errors.notSupported(`${at}.reason`, r.reason, reasons);
  if (!r.fieldPath) return;
  if (r.fieldPath.trim() === '') errors.invalid(`${at}.fieldPath`, r.fieldPath, 'must be non-empty if specified');
  if (hasNewlines(r.fieldPath)) errors.invalid(`${at}.fieldPath`, r.fieldPath, 'must not contain line breaks');
  if (normalizeFieldPath(r.fieldPath, s) === undefined) errors.invalid(`${at}.fieldPath`, r.fieldPath, 'must be a valid path');
}

/** A rule as upstream's errors show it: by the names of its Go struct. */
const shown = (r: SchemaRule): unknown => ({
  Rule: r.rule,
  Message: r.message ?? '',
  MessageExpression: r.messageExpression ?? '',
  Reason: r.reason ?? null,
  FieldPath: r.fieldPath ?? '',
  OptionalOldSelf: r.optionalOldSelf ?? null,
});

function* checkCompiled(s: StructuralSchema, place: Place, costs: Cost[], errors: FieldErrors): Generator<void, void> {
  const at = `${place.field}.${extension}`;
  const declared = schemaType(s, place.resourceRoot, selfTypeName());
  if (declared === undefined) {
    const why = 'failed to construct type information for x-kubernetes-validations rules';
    errors.internal(at, `internal error: ${why}: unable to convert structural schema to CEL declarations`);
    return;
  }
  let i = 0;
  for (const compiled of compileRules(s, declared)) {
    checkRule(compiled, place, `${at}[${i++}]`, { costs, errors });
    yield;
  }
}

function checkRule(compiled: CompiledRule, place: Place, at: string, to: { readonly costs: Cost[]; readonly errors: FieldErrors }): void {
  const { costs, errors } = to;
  const { rule } = compiled;
  const cost = capped(compiled.maxCost * (place.cardinality ?? compiled.maxCardinality));
  if (cost > ruleCostLimit) errors.forbidden(`${at}.rule`, costMessage('estimated rule cost', cost, ruleCostLimit));
  costs.push({ field: `${at}.rule`, cost });
  if (compiled.error !== undefined) errors.invalid(`${at}.rule`, shown(rule), compiled.error);
  if (compiled.messageError !== undefined) errors.invalid(`${at}.messageExpression`, shown(rule), compiled.messageError);
  else if (compiled.message !== undefined) {
    const { messageMaxCost } = compiled;
    if (messageMaxCost > ruleCostLimit) {
      errors.forbidden(`${at}.messageExpression`, costMessage('estimated messageExpression cost', messageMaxCost, ruleCostLimit));
    }
    costs.push({ field: `${at}.messageExpression`, cost: messageMaxCost });
  }
  if (compiled.usesOldSelf) {
    if (place.uncorrelatable !== undefined) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`;
      errors.invalid(`${at}.rule`, rule.rule, why);
    }
  } else if (rule.optionalOldSelf !== undefined) {
    errors.invalid(`${at}.optionalOldSelf`, rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule');
  }
}

function checkTotal(costs: readonly Cost[], field: string, errors: FieldErrors): void {
  const total = capped(costs.reduce((n, c) => n + c.cost, 0n));
  if (total <= schemaCostLimit) return;
  const dear = costs.filter((c) => c.cost >= schemaCostLimit / 100n).sort((a, b) => (a.cost < b.cost ? 1 : a.cost > b.cost ? -1 : 0));
  for (const c of dear.slice(0, 4)) {
    errors.forbidden(c.field, 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema');
  }
  const name = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
  errors.forbidden(field, costMessage(name, total, schemaCostLimit));
}

function costMessage(name: string, cost: bigint, limit: bigint): string {
  const factor = Number(cost) / Number(limit);
  const times = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  const advice = 'try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared';
  return `${name} exceeds budget by factor of ${times} (${advice})`;
}
