/** The syntax tree of an expression. `at` is the offset in the text (in code points) that messages point to. */

import type { Value } from './values.ts';

export interface Literal {
  readonly kind: 'literal';
  readonly at: number;
  readonly value: Value;
}
export interface Ident {
  readonly kind: 'ident';
  readonly at: number;
  readonly name: string;
}
export interface Select {
  readonly kind: 'select';
  readonly at: number;
  readonly operand: Expr;
  readonly field: string;
  /** `has(operand.field)`. */
  readonly test: boolean;
}
export interface Call {
  readonly kind: 'call';
  readonly at: number;
  readonly name: string;
  readonly target?: Expr | undefined;
  readonly args: readonly Expr[];
}
export interface ListLiteral {
  readonly kind: 'list';
  readonly at: number;
  readonly elements: readonly Expr[];
  /** Indices of elements written `?x`. */
  readonly optional: ReadonlySet<number>;
}
export interface MapEntry {
  readonly at: number;
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}
export interface MapLiteral {
  readonly kind: 'map';
  readonly at: number;
  readonly entries: readonly MapEntry[];
}
export interface StructField {
  readonly at: number;
  readonly name: string;
  readonly value: Expr;
  readonly optional: boolean;
}
export interface StructLiteral {
  readonly kind: 'struct';
  readonly at: number;
  readonly name: string;
  readonly fields: readonly StructField[];
}
/** The fold that all macros over lists and maps become. */
export interface Comprehension {
  readonly kind: 'comprehension';
  readonly at: number;
  readonly range: Expr;
  readonly iterVar: string;
  readonly iterVar2?: string | undefined;
  /** The accumulator's name where an expression may use it (`optMap`); `@result` otherwise. */
  readonly accuVar?: string | undefined;
  /** What the fold does, for evaluation: the predicate, the collected element or the bound value stand in `step`. */
  readonly does: 'all' | 'exists' | 'existsOne' | 'collectList' | 'collectMap' | 'bind';
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}
export type Expr = Literal | Ident | Select | Call | ListLiteral | MapLiteral | StructLiteral | Comprehension;

/** No element is optional: the set that most list literals share. */
export const noElements: ReadonlySet<number> = new Set();

/** The name of every fold's accumulator: expressions can't write it. */
export const accumulator = '@result';

/** `a.b.c` as a name, where the expression is nothing but identifiers and selections. */
export function qualifiedName(e: Expr): string | undefined {
  if (e.kind === 'ident') return e.name;
  if (e.kind !== 'select' || e.test) return undefined;
  const prefix = qualifiedName(e.operand);
  return prefix === undefined ? undefined : `${prefix}.${e.field}`;
}
