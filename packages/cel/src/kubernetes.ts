import type { Environment } from './environment.ts';
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
  stringType,
  timestampType,
  typeOf,
  uintType,
} from './types.ts';

const types: readonly (readonly [string, CelType])[] = [
  ['bool', boolType],
  ['bytes', bytesType],
  ['double', doubleType],
  ['google.protobuf.Duration', durationType],
  ['int', intType],
  ['list', listOf(dynType)],
  ['map', mapOf(dynType, dynType)],
  ['null_type', nullType],
  ['string', stringType],
  ['google.protobuf.Timestamp', timestampType],
  ['type', typeOf(undefined)],
  ['uint', uintType],
];

/** What every expression in Kubernetes can use: the language and Kubernetes' libraries; variables are added by who needs them. */
export const kubernetesEnvironment: Environment = {
  variables: new Map(),
  functions: standardFunctions,
  types: new Map(types),
};
