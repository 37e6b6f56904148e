import { declare } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { listContains } from '../equality.ts';
import { boolType, listOf, typeParameter } from '../types.ts';
import type { CelList } from '../values.ts';

const listT = listOf(typeParameter('T'));

function contains(list: CelList, part: CelList): boolean {
  for (const v of part.values()) if (!listContains(list, v)) return false;
  return true;
}
function intersects(a: CelList, b: CelList): boolean {
  for (const v of a.values()) if (listContains(b, v)) return true;
  return false;
}

export const setFunctions: readonly FunctionDeclaration[] = [
  declare('sets.contains', ['list_sets_contains_list', [listT, listT], boolType, ([a, b]) => contains(a as CelList, b as CelList)]),
  declare('sets.equivalent', [
    'list_sets_equivalent_list',
    [listT, listT],
    boolType,
    ([a, b]) => contains(a as CelList, b as CelList) && contains(b as CelList, a as CelList),
  ]),
  declare('sets.intersects', ['list_sets_intersects_list', [listT, listT], boolType, ([a, b]) => intersects(a as CelList, b as CelList)]),
];
