import {
  adapt,
  boolType,
  CelError,
  CelList,
  CelMap,
  compile,
  CostLimitExceeded,
  dynType,
  extendEnvironment,
  kubernetesEnvironment,
  listOf,
  mapOf,
  objectType,
  type Program,
  stringType,
  type CelType,
  type Value,
} from '@skiff/cel';
import type { Json, JsonObject } from '@skiff/apimachinery';
import type { UserInfo } from '../../contract.ts';

/** What one expression of an authentication configuration may cost, as upstream. */
const costLimit = 1_000_000;

const claimsEnvironment = extendEnvironment(kubernetesEnvironment, { variables: { claims: mapOf(stringType, dynType) } });
const userType = objectType('kubernetes.UserInfo', {
  username: stringType,
  uid: stringType,
  groups: listOf(stringType),
  extra: mapOf(stringType, listOf(stringType)),
});
const userEnvironment = extendEnvironment(kubernetesEnvironment, { variables: { user: userType } });

/** `expect`: the types that it may have. Throws with what is wrong. */
function program(expression: string, environment: typeof claimsEnvironment, expect: readonly CelType[]): Program {
  const compiled = compile(expression, environment, expect);
  if (compiled.program === undefined) throw new Error(compiled.error);
  return compiled.program;
}

export const claimsCondition = (expression: string): Program => program(expression, claimsEnvironment, [boolType]);
export const claimsText = (expression: string): Program => program(expression, claimsEnvironment, [stringType]);
export const claimsTexts = (expression: string): Program =>
  program(expression, claimsEnvironment, [stringType, listOf(stringType), listOf(dynType)]);
export const userCondition = (expression: string): Program => program(expression, userEnvironment, [boolType]);

function evaluate(p: Program, variables: Readonly<Record<string, Value>>): Value {
  let value: Value;
  try {
    ({ value } = p.evaluate(variables, costLimit));
  } catch (error) {
    if (error instanceof CostLimitExceeded)
      throw new Error(`expression ${JSON.stringify(p.expression)}: ${error.message}`, { cause: error });
    throw error;
  }
  if (value instanceof CelError) throw new Error(`expression ${JSON.stringify(p.expression)} resulted in error: ${value.message}`);
  return value;
}

class ClaimList extends CelList {
  readonly #items: readonly Json[];
  constructor(items: readonly Json[]) {
    super();
    this.#items = items;
  }
  get size(): number {
    return this.#items.length;
  }
  at(index: number): Value {
    return claimValue(this.#items[index] ?? null);
  }
}

class ClaimMap extends CelMap {
  readonly #claims: JsonObject;
  constructor(claims: JsonObject) {
    super();
    this.#claims = claims;
  }
  get size(): number {
    return Object.keys(this.#claims).length;
  }
  find(key: Value): Value | undefined {
    if (typeof key !== 'string' || !Object.hasOwn(this.#claims, key)) return undefined;
    const found = this.#claims[key];
    return found === undefined ? undefined : claimValue(found);
  }
  keys(): readonly Value[] {
    return Object.keys(this.#claims).sort();
  }
}

/** Claims have no schema: every number is a double. */
function claimValue(claim: Json): Value {
  if (claim === null || typeof claim === 'string' || typeof claim === 'boolean') return claim;
  if (typeof claim === 'number' || typeof claim === 'bigint') return Number(claim);
  return Array.isArray(claim) ? new ClaimList(claim) : new ClaimMap(claim as JsonObject);
}

/** The variables that expressions about a token's claims see. */
export const claimsVariables = (claims: JsonObject): { readonly claims: Value } => ({ claims: new ClaimMap(claims) });

export const userVariables = (user: UserInfo): { readonly user: Value } => ({
  user: adapt(
    { username: user.name, uid: user.uid ?? '', groups: [...user.groups], extra: { ...user.extra } } as unknown as JsonObject,
    userType,
  ),
});

/** Throws where it has no such value. */
export function evaluateCondition(p: Program, variables: Readonly<Record<string, Value>>): boolean {
  return evaluate(p, variables) === true;
}

export function evaluateText(p: Program, variables: Readonly<Record<string, Value>>): string {
  const value = evaluate(p, variables);
  if (typeof value !== 'string') throw new Error(`expression ${JSON.stringify(p.expression)} must return a string`);
  return value;
}

/** A string or a list of them; '', [] and null are none. */
export function evaluateTexts(p: Program, variables: Readonly<Record<string, Value>>): readonly string[] {
  const value = evaluate(p, variables);
  if (value === null || value === '') return [];
  if (typeof value === 'string') return [value];
  if (!(value instanceof CelList)) throw new Error(`expression ${JSON.stringify(p.expression)} must return a string or a list of strings`);
  const out: string[] = [];
  for (let i = 0; i < value.size; i++) {
    const element = value.at(i);
    if (typeof element !== 'string')
      throw new Error(`expression ${JSON.stringify(p.expression)} must return a string or a list of strings`);
    if (element !== '') out.push(element);
  }
  return out;
}
