import {
  applyJsonPatch,
  type Json,
  type JsonObject,
  type JsonPatchOperation,
  JsonPatchError,
  JsonPatchTestFailed,
  mergeConfiguration,
  NotMergeableError,
} from '@skiff/apimachinery';
import { CelList, MadeObject, misnamedObjects, NotJsonError, toJson, type Value } from '@skiff/cel';
import type { ObjectForm } from '../object-form.ts';
import { PolicyError } from './params.ts';

function jsonOf(value: Value, plain = false): Json {
  try {
    return toJson(value, plain);
  } catch (error) {
    if (error instanceof NotJsonError) throw new PolicyError(`the expression made something that is not JSON: ${error.message}`);
    throw error;
  }
}

function checkNames(value: MadeObject): void {
  const complaints = misnamedObjects(value);
  if (complaints.length > 0) throw new PolicyError(`type mismatch: ${complaints.join('\n')}`);
}

/** Merges the object that an expression made (`Object{…}`) into the one of the request. Throws PolicyError. */
export function applyConfiguration(value: Value, object: JsonObject, form: ObjectForm): JsonObject {
  if (!(value instanceof MadeObject)) throw new PolicyError('unsupported return type from ApplyConfiguration expression');
  checkNames(value);
  const made = jsonOf(value, true) as JsonObject;
  const configuration: JsonObject = { ...made, apiVersion: object['apiVersion'] as Json, kind: object['kind'] as Json };
  try {
    return mergeConfiguration(form.mergeType, object, configuration);
  } catch (error) {
    if (error instanceof NotMergeableError) throw new PolicyError(`error applying patch: ${error.message}`);
    throw error;
  }
}

function operationOf(value: Value): JsonPatchOperation {
  if (!(value instanceof MadeObject))
    throw new PolicyError('type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch');
  const text = (name: string): string => {
    const v = value.fields.get(name);
    return typeof v === 'string' ? v : '';
  };
  const from = text('from');
  const given = value.fields.get('value');
  if (given instanceof MadeObject) checkNames(given);
  return {
    op: text('op'),
    path: text('path'),
    ...(from === '' ? {} : { from }),
    ...(given === undefined ? {} : { value: jsonOf(given) }),
  };
}

/** Applies the operations that an expression made (`[JSONPatch{…}]`); the object as it is when a `test` fails. Throws PolicyError. */
export function applyOperations(value: Value, object: JsonObject): JsonObject {
  if (!(value instanceof CelList)) throw new PolicyError('type mismatch: JSONPatchType.expression should evaluate to array');
  const operations = [...value.values()].map(operationOf);
  try {
    return applyJsonPatch(structuredClone(object), operations) as JsonObject;
  } catch (error) {
    if (error instanceof JsonPatchTestFailed) return object;
    if (error instanceof JsonPatchError) throw new PolicyError(`JSON Patch: ${error.message}`);
    throw error;
  }
}
