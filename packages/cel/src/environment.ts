import type { CelType } from './types.ts';
import type { Value } from './values.ts';

/** What functions may look at besides their arguments. */
export interface CallContext {
  /** Adds to what the evaluation has cost; throws when that is too much. */
  charge(cost: number): void;
  /** Counts elements that are looked at: costs say too little of walking long lists and maps. Throws when they are too many. */
  work(elements: number): void;
}

/** One signature of a function. A member's first argument is what it is called on. */
export interface Overload {
  readonly id: string;
  readonly member: boolean;
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** Gets no errors as arguments; their kinds fit `args`. */
  readonly run: (args: readonly Value[], context: CallContext) => Value;
}
export interface FunctionDeclaration {
  readonly name: string;
  readonly overloads: readonly Overload[];
}

/** A type that expressions can write as `Name{field: value}`. */
export interface StructDefinition {
  readonly type: CelType;
  fieldType(name: string): CelType | undefined;
  create(fields: ReadonlyMap<string, Value>): Value;
}

/** The names that an expression can use. */
export interface Environment {
  readonly variables: ReadonlyMap<string, CelType>;
  readonly functions: ReadonlyMap<string, FunctionDeclaration>;
  /** Names of types, as in `type(x) == int`. */
  readonly types: ReadonlyMap<string, CelType>;
  /** Types made by their names; asked for what `types` does not have. */
  readonly structs?: ((name: string) => StructDefinition | undefined) | undefined;
  /** Whether there is `cel.bind(name, value, expression)`. */
  readonly bindings?: boolean | undefined;
}

/** `base` with more variables (which hide those of the same name), functions (whose overloads are added) and types. */
export function extendEnvironment(
  base: Environment,
  more: {
    readonly variables?: Readonly<Record<string, CelType>> | undefined;
    readonly functions?: readonly FunctionDeclaration[] | undefined;
    readonly types?: Readonly<Record<string, CelType>> | undefined;
    readonly structs?: Environment['structs'];
    readonly bindings?: Environment['bindings'];
  },
): Environment {
  return {
    variables: more.variables === undefined ? base.variables : new Map([...base.variables, ...Object.entries(more.variables)]),
    functions: more.functions === undefined ? base.functions : mergeFunctions(base.functions, more.functions),
    types: more.types === undefined ? base.types : new Map([...base.types, ...Object.entries(more.types)]),
    structs: more.structs ?? base.structs,
    bindings: more.bindings ?? base.bindings,
  };
}

/** Declarations by name; what is declared twice has the overloads of both. */
export function mergeFunctions(
  base: ReadonlyMap<string, FunctionDeclaration>,
  more: readonly FunctionDeclaration[],
): ReadonlyMap<string, FunctionDeclaration> {
  const all = new Map(base);
  for (const f of more) {
    const known = all.get(f.name);
    all.set(f.name, known === undefined ? f : { name: f.name, overloads: [...known.overloads, ...f.overloads] });
  }
  return all;
}
