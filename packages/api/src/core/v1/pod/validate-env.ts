import { type DeepReadonly, type FieldErrors, isConfigMapKey, isEnvVarName, nameIsDNSSubdomain } from '@skiff/apimachinery';
import type { ConfigMapKeySelector, EnvFromSource, EnvVar, EnvVarSource, FileKeySelector } from '../../../generated/types/core-v1.ts';
import { dnsLabel, invalidEach, requireText } from '../../../validation.ts';
import { noBacksteps } from '../file-paths.ts';
import { envFieldPaths, validateFieldRef, validateResourceFieldRef } from './validate-field-refs.ts';

export function validateEnv(variables: readonly DeepReadonly<EnvVar>[], path: string, errors: FieldErrors): void {
  for (const [i, variable] of variables.entries()) {
    const at = `${path}[${i}]`;
    if (requireText(errors, `${at}.name`, variable.name)) invalidEach(errors, `${at}.name`, variable.name, isEnvVarName(variable.name));
    if (variable.valueFrom) validateValueFrom(variable.valueFrom, variable.value ?? '', `${at}.valueFrom`, errors);
  }
}

function validateValueFrom(source: DeepReadonly<EnvVarSource>, value: string, path: string, errors: FieldErrors): void {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source;
  if (fieldRef) validateFieldRef(fieldRef, envFieldPaths, `${path}.fieldRef`, errors);
  if (resourceFieldRef) validateResourceFieldRef(resourceFieldRef, 'env', `${path}.resourceFieldRef`, errors);
  if (configMapKeyRef) validateKeyRef(configMapKeyRef, `${path}.configMapKeyRef`, errors);
  if (secretKeyRef) validateKeyRef(secretKeyRef, `${path}.secretKeyRef`, errors);
  if (fileKeyRef) validateFileKeyRef(fileKeyRef, `${path}.fileKeyRef`, errors);
  const count = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter((s) => s !== undefined).length;
  if (count === 0) {
    errors.invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`');
  } else if (value !== '') errors.invalid(path, '', 'may not be specified when `value` is not empty');
  else if (count > 1) errors.invalid(path, '', 'may not have more than one field specified at a time');
}

function validateKeyRef(ref: DeepReadonly<ConfigMapKeySelector>, path: string, errors: FieldErrors): void {
  invalidEach(errors, `${path}.name`, ref.name ?? '', nameIsDNSSubdomain(ref.name ?? '', false));
  if (requireText(errors, `${path}.key`, ref.key)) invalidEach(errors, `${path}.key`, ref.key, isConfigMapKey(ref.key));
}

function validateFileKeyRef(ref: DeepReadonly<FileKeySelector>, path: string, errors: FieldErrors): void {
  if (requireText(errors, `${path}.key`, ref.key)) invalidEach(errors, `${path}.key`, ref.key, isEnvVarName(ref.key));
  if (requireText(errors, `${path}.volumeName`, ref.volumeName)) dnsLabel(errors, `${path}.volumeName`, ref.volumeName);
  if (requireText(errors, `${path}.path`, ref.path)) noBacksteps(errors, `${path}.path`, ref.path);
}

export function validateEnvFrom(sources: readonly DeepReadonly<EnvFromSource>[], path: string, errors: FieldErrors): void {
  for (const [i, source] of sources.entries()) {
    const at = `${path}[${i}]`;
    if (source.prefix) invalidEach(errors, `${at}.prefix`, source.prefix, isEnvVarName(source.prefix));
    const refs = [
      { ref: source.configMapRef, at: `${at}.configMapRef.name` },
      { ref: source.secretRef, at: `${at}.secretRef.name` },
    ].filter((r) => r.ref !== undefined);
    for (const { ref, at: name } of refs) {
      if (requireText(errors, name, ref?.name)) invalidEach(errors, name, ref?.name, nameIsDNSSubdomain(ref?.name ?? '', true));
    }
    if (refs.length === 0) errors.invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`');
    else if (refs.length > 1) errors.invalid(path, '', 'may not have more than one field specified at a time');
  }
}
