import { declare } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { stringType } from '../types.ts';

/** Added where expressions make JSON patches. */
export const jsonPatchFunctions: readonly FunctionDeclaration[] = [
  declare('jsonpatch.escapeKey', [
    'string_jsonpatch_escapeKey_string',
    [stringType],
    stringType,
    ([s]) => (s as string).replaceAll('~', '~0').replaceAll('/', '~1'),
  ]),
];
