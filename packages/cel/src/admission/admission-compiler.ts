import { compile, type Program } from '../compile.ts';
import { type Environment, extendEnvironment } from '../environment.ts';
import { kubernetesEnvironment } from '../kubernetes.ts';
import { authorizerType, resourceCheckType } from '../library/authorizer.ts';
import { jsonPatchFunctions } from '../library/jsonpatch.ts';
import { type CelType, dynType, formatType, type ObjectType, sameType } from '../types.ts';
import { patchStructs } from './patch-types.ts';
import { namespaceType, requestType } from './request-types.ts';

/** Which of the names that not every place has are there. */
export interface AdmissionNames {
  readonly params: boolean;
  readonly authorizer: boolean;
  /** `Object{…}`, `JSONPatch{…}` and `jsonpatch.escapeKey`. */
  readonly patchTypes?: boolean;
}

/** An expression ready to be run, or why it can't be. */
export type AdmissionExpression =
  | { readonly expression: string; readonly program: Program; readonly error: undefined }
  /** `error` in upstream's words: `compilation failed: ERROR: …`, `must evaluate to bool but got int`. */
  | { readonly expression: string; readonly program: undefined; readonly error: string };

/** What is known of the types of names that are dyn otherwise. */
export interface KnownTypes {
  /** Of `object` and `oldObject`. */
  readonly object: CelType;
  readonly params?: CelType;
}

function environmentOf(names: AdmissionNames, types?: KnownTypes): Environment {
  const environment = extendEnvironment(kubernetesEnvironment, {
    variables: {
      object: types?.object ?? dynType,
      oldObject: types?.object ?? dynType,
      namespaceObject: namespaceType,
      request: requestType,
      ...(names.params ? { params: types?.params ?? dynType } : {}),
      ...(names.authorizer ? { authorizer: authorizerType, 'authorizer.requestResource': resourceCheckType } : {}),
    },
  });
  return names.patchTypes === true ? extendEnvironment(environment, { functions: jsonPatchFunctions, structs: patchStructs }) : environment;
}

const environments = new Map<string, Environment>();
function sharedEnvironment(names: AdmissionNames): Environment {
  const key = `${names.params} ${names.authorizer} ${names.patchTypes === true}`;
  let environment = environments.get(key);
  if (environment === undefined) {
    environment = environmentOf(names);
    environments.set(key, environment);
  }
  return environment;
}

/** What of a variable's type is known to the expressions that use it: the rest is dyn. */
function knownType(type: CelType | undefined): CelType {
  if (type === undefined) return dynType;
  switch (type.kind) {
    case 'list':
      return { kind: 'list', element: knownType(type.element) };
    case 'map':
      return { kind: 'map', key: knownType(type.key), value: knownType(type.value) };
    case 'object':
    case 'opaque':
    case 'type':
    case 'param':
    case 'error':
      return dynType;
    default:
      return { kind: type.kind };
  }
}

const spelling = (type: CelType): string => (type.kind === 'null' ? 'null_type' : formatType(type));

/**
 * Compiles the expressions of one webhook or policy: conditions, validations, messages, mutations. With `variables`, later expressions
 * may use `variables.name` of those that were added before.
 */
export class AdmissionCompiler {
  readonly #fields = new Map<string, { readonly type: CelType }>();
  readonly #variables: ObjectType | undefined;
  readonly #types: KnownTypes | undefined;

  constructor(o: { readonly variables: boolean; readonly types?: KnownTypes }) {
    this.#types = o.types;
    this.#variables = o.variables ? { kind: 'object', name: 'kubernetes.variables', fields: this.#fields } : undefined;
  }

  /** Adds a variable, for all expressions that come after it; one that does not compile is dyn to them. */
  addVariable(name: string, expression: string, names: AdmissionNames): AdmissionExpression {
    const compiled = this.compile(expression, undefined, names);
    this.#fields.set(name, { type: knownType(compiled.program?.type) });
    return compiled;
  }

  /** `results`: the types that the expression may have, exactly; undefined: any. */
  compile(expression: string, results: readonly CelType[] | undefined, names: AdmissionNames): AdmissionExpression {
    const plain = this.#types === undefined ? sharedEnvironment(names) : environmentOf(names, this.#types);
    const environment = this.#variables === undefined ? plain : extendEnvironment(plain, { variables: { variables: this.#variables } });
    const { program, error } = compile(expression, environment);
    if (program === undefined) return { expression, program, error };
    if (results === undefined || results.some((type) => sameType(type, program.type))) return { expression, program, error: undefined };
    const wanted = results.map(spelling);
    const must = wanted.length === 1 ? (wanted[0] ?? '') : `one of [${wanted.join(' ')}]`;
    return { expression, program: undefined, error: `must evaluate to ${must} but got ${spelling(program.type)}` };
  }
}
