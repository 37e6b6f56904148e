import type { SchemaRule, StructuralSchema } from '@skiff/apimachinery';
import { compile, type Program } from '../compile.ts';
import { estimateCost } from '../cost-estimate.ts';
import { type Environment, extendEnvironment } from '../environment.ts';
import { kubernetesEnvironment } from '../kubernetes.ts';
import { boolType, type CelType, optionalOf, stringType } from '../types.ts';
import { normalizeFieldPath } from './field-path.ts';
import { maxCardinality, type SchemaType, sizesOf } from './schema-type.ts';

export interface CompiledRule {
  readonly rule: SchemaRule;
  /** Undefined: the rule is empty, or `error` says why. */
  readonly program?: Program | undefined;
  readonly error?: string | undefined;
  readonly usesOldSelf: boolean;
  /** In cost units. */
  readonly maxCost: bigint;
  /** How often the rule may have to run for one request where lists and maps have no limits. */
  readonly maxCardinality: bigint;
  readonly message?: Program | undefined;
  readonly messageError?: string | undefined;
  readonly messageMaxCost: bigint;
  /** Where the error belongs, below the rule's own place. */
  readonly fieldPath?: string | undefined;
}

const environmentFor = (self: CelType, oldSelf: CelType): Environment =>
  extendEnvironment(kubernetesEnvironment, { variables: { self, oldSelf } });

/** The rules of one node of a schema (not of those below it), compiled one by one. */
export function* compileRules(s: StructuralSchema, declared: SchemaType): Generator<CompiledRule, void> {
  const { type } = declared;
  const environment = environmentFor(type, type);
  const optionalEnvironment = environmentFor(type, optionalOf(type));
  for (const rule of s['x-kubernetes-validations'] ?? []) {
    yield compileRule(s, rule, declared, rule.optionalOldSelf === true ? optionalEnvironment : environment);
  }
}

function compileRule(s: StructuralSchema, rule: SchemaRule, declared: SchemaType, environment: Environment): CompiledRule {
  const nothing: CompiledRule = { rule, usesOldSelf: false, maxCost: 0n, maxCardinality: 0n, messageMaxCost: 0n };
  if (rule.rule.trim() === '') return nothing;
  const { program, error } = compile(rule.rule, environment);
  if (program === undefined) return { ...nothing, error };
  if (program.type.kind !== boolType.kind) return { ...nothing, error: 'cel expression must evaluate to a bool' };
  const sizes = sizesOf(declared.type);
  const usesOldSelf = [...program.checked.types.keys()].some((e) => e.kind === 'ident' && e.name === 'oldSelf');
  const maxCost = estimateCost(program.checked, sizes).max;
  const compiled: CompiledRule = { ...nothing, program, usesOldSelf, maxCost, maxCardinality: maxCardinality(declared.minSize) };
  const fieldPath = rule.fieldPath ? normalizeFieldPath(rule.fieldPath, s) : undefined;
  if (!rule.messageExpression) return { ...compiled, fieldPath };
  const message = compile(rule.messageExpression, environment);
  if (message.program === undefined) return { ...compiled, messageError: `messageExpression ${message.error.replace(/^program /, '')}` };
  if (message.program.type.kind !== stringType.kind) return { ...compiled, messageError: 'messageExpression must evaluate to a string' };
  const messageMaxCost = estimateCost(message.program.checked, sizes).max;
  return { ...compiled, message: message.program, messageMaxCost, fieldPath };
}
