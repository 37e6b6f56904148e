import type { ExpressionChecks, ExpressionPlace } from '@skiff/apimachinery';
import { AdmissionCompiler, appliedObjectType, boolType, type CelType, jsonPatchType, listOf, nullType, stringType } from '@skiff/cel';

/** What an expression must come to, and whether it knows the authorizer and the types that patches are made of. */
const places: Readonly<Record<ExpressionPlace, { results: readonly CelType[]; authorizer: boolean; patchTypes: boolean }>> = {
  matchCondition: { results: [boolType], authorizer: true, patchTypes: false },
  validation: { results: [boolType], authorizer: true, patchTypes: false },
  message: { results: [stringType], authorizer: false, patchTypes: false },
  auditAnnotation: { results: [stringType, nullType], authorizer: true, patchTypes: false },
  applyConfiguration: { results: [appliedObjectType], authorizer: true, patchTypes: true },
  jsonPatch: { results: [listOf(jsonPatchType)], authorizer: true, patchTypes: true },
};

/** Checks of the expressions that webhooks and policies carry. Conditions know no variables. */
export function createExpressionChecks({ params, variables }: { readonly params: boolean; readonly variables: boolean }): ExpressionChecks {
  const compiler = new AdmissionCompiler({ variables });
  const conditions = new AdmissionCompiler({ variables: false });
  return {
    variable: (name, expression) => compiler.addVariable(name, expression, { params, authorizer: true }).error,
    check: (place, expression) => {
      const { results, ...names } = places[place];
      return (place === 'matchCondition' ? conditions : compiler).compile(expression, results, { params, ...names }).error;
    },
  };
}
