import { type Environment, mergeFunctions } from './environment.ts';
import { authorizerFunctions, authorizerTypes } from './library/authorizer.ts';
import { formatFunctions, formatType } from './library/format.ts';
import { listFunctions } from './library/lists.ts';
import { cidrType, ipType, netFunctions } from './library/net.ts';
import { optionalFunctions } from './library/optional.ts';
import { quantityFunctions, quantityType } from './library/quantity.ts';
import { regexFunctions } from './library/regex.ts';
import { semverFunctions, semverType } from './library/semver.ts';
import { setFunctions } from './library/sets.ts';
import { stringFunctions } from './library/strings.ts';
import { urlFunctions, urlType } from './library/urls.ts';
import { standardFunctions } from './standard.ts';
import {
  boolType,
  bytesType,
  type CelType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  nullType,
  optionalOf,
  stringType,
  timestampType,
  typeName,
  typeOf,
  uintType,
} from './types.ts';

const standardTypes: readonly CelType[] = [
  boolType,
  bytesType,
  doubleType,
  durationType,
  intType,
  listOf(dynType),
  mapOf(dynType, dynType),
  nullType,
  stringType,
  timestampType,
  typeOf(undefined),
  uintType,
];
const libraryTypes: readonly CelType[] = [
  optionalOf(dynType),
  quantityType,
  semverType,
  ipType,
  cidrType,
  urlType,
  formatType,
  ...authorizerTypes,
];

/** What every expression in Kubernetes 1.36 can use: the language and Kubernetes' libraries; variables are added by who needs them. */
export const kubernetesEnvironment: Environment = {
  variables: new Map(),
  functions: mergeFunctions(standardFunctions, [
    ...stringFunctions,
    ...listFunctions,
    ...setFunctions,
    ...regexFunctions,
    ...optionalFunctions,
    ...quantityFunctions,
    ...semverFunctions,
    ...netFunctions,
    ...urlFunctions,
    ...formatFunctions,
    ...authorizerFunctions,
  ]),
  types: new Map([...standardTypes, ...libraryTypes].map((t) => [typeName(t), t])),
};
