import { declare } from '../declare.ts';
import type { CallContext, FunctionDeclaration } from '../environment.ts';
import { listContains } from '../equality.ts';
import { boolType, listOf, typeParameter } from '../types.ts';
import type { CelList } from '../values.ts';

const listT = listOf(typeParameter('T'));

function contains(list: CelList, part: CelList, context: CallContext): boolean {
  const look = (n: number): void => context.work(n);
  for (const v of part.values()) if (!listContains(list, v, look)) return false;
  return true;
}
function intersects(a: CelList, b: CelList, context: CallContext): boolean {
  const look = (n: number): void => context.work(n);
  for (const v of a.values()) if (listContains(b, v, look)) return true;
  return false;
}

export const setFunctions: readonly FunctionDeclaration[] = [
  declare('sets.contains', ['list_sets_contains_list', [listT, listT], boolType, ([a, b], c) => contains(a as CelList, b as CelList, c)]),
  declare('sets.equivalent', [
    'list_sets_equivalent_list',
    [listT, listT],
    boolType,
    ([a, b], c) => contains(a as CelList, b as CelList, c) && contains(b as CelList, a as CelList, c),
  ]),
  declare('sets.intersects', [
    'list_sets_intersects_list',
    [listT, listT],
    boolType,
    ([a, b], c) => intersects(a as CelList, b as CelList, c),
  ]),
];
