export { adapt } from './adapt.ts';
export { type Compiled, compile, type Program } from './compile.ts';
export { type EstimateSize, estimateCost } from './cost-estimate.ts';
export type { Range } from './cost-numbers.ts';
export { declare } from './declare.ts';
export { checkDeviceSelector } from './device-selector.ts';
export {
  type CallContext,
  type Environment,
  extendEnvironment,
  type FunctionDeclaration,
  type Overload,
  type StructDefinition,
} from './environment.ts';
export { type Evaluate, type Outcome } from './evaluate.ts';
export { CostLimitExceeded, type Variables } from './frame.ts';
export { kubernetesEnvironment } from './kubernetes.ts';
export {
  type AuthorizationAnswer,
  type AuthorizationQuestion,
  type Authorize,
  createAuthorizerValue,
  requestResource,
  settle,
} from './library/authorizer.ts';
export * from './types.ts';
export * from './values.ts';
export { AdmissionCompiler, type AdmissionExpression, type AdmissionNames } from './admission/admission-compiler.ts';
export { type OpenApiSchema, type OpenApiSchemas, openApiType } from './admission/open-api-type.ts';
export { appliedObjectType, jsonPatchType, MadeObject, misnamedObjects } from './admission/patch-types.ts';
export { namespaceType, requestType } from './admission/request-types.ts';
export { structType } from './admission/struct-type.ts';
export { NotJsonError, toJson } from './admission/to-json.ts';
export { checkSchemaRules } from './schema/check-rules.ts';
export { escapeProperty } from './schema/escape.ts';
export { createSchemaRules, type RuleValidation, type SchemaRules } from './schema/validate-rules.ts';
export { typeWarnings } from './admission/type-check.ts';
