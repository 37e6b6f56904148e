import type { CelType } from '../types.ts';
import { AdmissionCompiler } from './admission-compiler.ts';

/** A kind that a policy matches, with its type. */
export interface TypedKind {
  /** As warnings name it: `apps/v1, Kind=Deployment`. */
  readonly name: string;
  readonly type: CelType;
}
export interface PlacedExpression {
  /** `spec.validations[0].expression` */
  readonly fieldRef: string;
  readonly expression: string;
}
export interface TypeCheck {
  readonly expressions: readonly PlacedExpression[];
  readonly variables: readonly { readonly name: string; readonly expression: string }[];
  readonly kinds: readonly TypedKind[];
  /** The parameters' type; dyn when it is not known; undefined: there are none. */
  readonly params: CelType | undefined;
}

/**
 * What is wrong with a policy's expressions when the types of its objects are known: upstream's `status.typeChecking`. Expressions that
 * are not about one of the kinds alone are held against each.
 */
export function typeWarnings({ expressions, variables, kinds, params }: TypeCheck): { fieldRef: string; warning: string }[] {
  const names = { params: params !== undefined, authorizer: true };
  const compilers = kinds.map(({ name, type }) => {
    const compiler = new AdmissionCompiler({ variables: true, types: { object: type, ...(params === undefined ? {} : { params }) } });
    for (const v of variables) compiler.addVariable(v.name, v.expression, names);
    return { name, compiler };
  });
  return expressions.flatMap(({ fieldRef, expression }) => {
    const issues = compilers.flatMap(({ name, compiler }) => {
      const { error } = compiler.compile(expression, undefined, names);
      return error === undefined ? [] : [`${name}: ${error.replace(/^compilation failed: /, '')}\n`];
    });
    return issues.length === 0 ? [] : [{ fieldRef, warning: issues.join('\n') }];
  });
}
