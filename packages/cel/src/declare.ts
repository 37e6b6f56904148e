import type { FunctionDeclaration, Overload } from './environment.ts';
import type { CelType } from './types.ts';

export type Run = Overload['run'];

/** A function with its overloads: `[id, args, result, run]`; ids that begin with `.` are members. */
export function declare(
  name: string,
  ...overloads: (readonly [id: string, args: readonly CelType[], result: CelType, run: Run])[]
): FunctionDeclaration {
  return {
    name,
    overloads: overloads.map(([id, args, result, run]) => {
      const member = id.startsWith('.');
      return { id: member ? id.slice(1) : id, member, args, result, run };
    }),
  };
}
