import { declare, type Run } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { compileRegex } from '../regex.ts';
import { intType, listOf, stringType } from '../types.ts';
import { ArrayList, CelError } from '../values.ts';

const illegal = (e: CelError): CelError => new CelError(`Illegal regex: ${e.message}`);

/** What a match takes, in elements that are walked over. */
const elementsPerMatch = 20;

const find: Run = ([text, pattern]) => {
  const regex = compileRegex(pattern as string);
  if (regex instanceof CelError) return illegal(regex);
  const m = regex.matcher(text as string);
  return m.find() ? (m.group() ?? '') : '';
};
const findAll: Run = ([text, pattern, limit], context) => {
  const regex = compileRegex(pattern as string);
  if (regex instanceof CelError) return illegal(regex);
  const most = limit === undefined || (limit as bigint) < 0n ? Infinity : Number(limit as bigint);
  const found: string[] = [];
  const m = regex.matcher(text as string);
  while (found.length < most && m.find()) {
    found.push(m.group() ?? '');
    context.work(elementsPerMatch);
  }
  return new ArrayList(found);
};

export const regexFunctions: readonly FunctionDeclaration[] = [
  declare('find', ['.string_find_string', [stringType, stringType], stringType, find]),
  declare(
    'findAll',
    ['.string_find_all_string', [stringType, stringType], listOf(stringType), findAll],
    ['.string_find_all_string_int', [stringType, stringType, intType], listOf(stringType), findAll],
  ),
];
