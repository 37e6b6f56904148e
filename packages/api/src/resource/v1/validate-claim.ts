import {
  type DeepReadonly,
  type FieldErrors,
  isDNS1123Label,
  isDNS1123Subdomain,
  isValidLabelValue,
  type Json,
  validateLabelName,
} from '@skiff/apimachinery';
import type {
  DeviceClaim,
  DeviceClaimConfiguration,
  DeviceClassSpec,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceToleration,
  ExactDeviceRequest,
  ResourceClaimTemplateSpec,
} from '../../generated/types/resource-v1.ts';
import { dnsLabel, invalidEach } from '../../validation.ts';
import { validateTemplateMetadata } from '../../core/v1/volume-claim-validation.ts';
import { isExtendedResource } from '../../core/v1/resource-requirements.ts';
import { eachItem } from './each-item.ts';
import { driverName, fullyQualifiedName } from './names.ts';

const max = {
  requests: 32,
  constraints: 32,
  config: 32,
  selectors: 32,
  alternatives: 8,
  tolerations: 16,
  parameters: 10 * 1024,
};

function validateSelectors(selectors: readonly DeepReadonly<DeviceSelector>[] | undefined, path: string, errors: FieldErrors): void {
  eachItem(errors, path, selectors, {
    max: max.selectors,
    check: ({ cel }, at) => {
      if (cel === undefined) errors.required(`${at}.cel`);
    },
  });
}

function validateToleration(t: DeepReadonly<DeviceToleration>, path: string, errors: FieldErrors): void {
  if (t.key) validateLabelName(t.key, `${path}.key`, errors);
  const operators = ['Equal', 'Exists'];
  if (t.operator === 'Exists') {
    if (t.value) errors.invalid(`${path}.value`, t.value, 'must be empty for operator `Exists`');
  } else if (t.operator === 'Equal') invalidEach(errors, `${path}.value`, t.value ?? '', isValidLabelValue(t.value ?? ''));
  else if (!t.operator) errors.required(`${path}.operator`);
  else errors.notSupported(`${path}.operator`, t.operator, operators);
  const effects = ['NoExecute', 'NoSchedule', 'None'];
  if (t.effect && !effects.includes(t.effect)) errors.notSupported(`${path}.effect`, t.effect, effects);
}

/** What an exact request and an alternative have in common. */
function validateWanted(r: DeepReadonly<ExactDeviceRequest>, path: string, errors: FieldErrors): void {
  const name = r.deviceClassName ?? '';
  if (name === '') errors.required(`${path}.deviceClassName`);
  else invalidEach(errors, `${path}.deviceClassName`, name, isDNS1123Subdomain(name));
  validateSelectors(r.selectors, `${path}.selectors`, errors);
  const count = Number(r.count ?? 0);
  if (r.allocationMode === 'All') {
    if (count !== 0) errors.invalid(`${path}.count`, count, "must not be specified when allocationMode is 'All'");
  } else if (r.allocationMode === 'ExactCount') {
    if (count <= 0) errors.invalid(`${path}.count`, count, 'must be greater than zero');
  } else errors.notSupported(`${path}.allocationMode`, r.allocationMode ?? '', ['All', 'ExactCount']);
  if ((r.tolerations ?? []).length > max.tolerations) errors.tooMany(`${path}.tolerations`, (r.tolerations ?? []).length, max.tolerations);
  for (const [i, t] of (r.tolerations ?? []).entries()) validateToleration(t, `${path}.tolerations[${i}]`, errors);
}

function validateRequest(r: DeepReadonly<DeviceRequest>, path: string, errors: FieldErrors): void {
  dnsLabel(errors, `${path}.name`, r.name ?? '');
  const alternatives = r.firstAvailable ?? [];
  const one = 'exactly one of `exactly` or `firstAvailable` is required';
  if (alternatives.length > 0 && r.exactly !== undefined) errors.invalid(path, null, `${one}, but multiple fields are set`);
  else if (alternatives.length > 0) {
    eachItem(errors, `${path}.firstAvailable`, alternatives, {
      max: max.alternatives,
      keyOf: (a) => a.name ?? '',
      check: (a, at) => {
        dnsLabel(errors, `${at}.name`, a.name ?? '');
        validateWanted(a, at, errors);
      },
    });
  } else if (r.exactly === undefined) errors.required(path, one);
  else validateWanted(r.exactly, `${path}.exactly`, errors);
}

/** The names by which a claim's requests and their alternatives can be meant: `request`, `request/alternative`. */
export const requestNames = (claim: DeepReadonly<DeviceClaim>): ReadonlySet<string> =>
  new Set((claim.requests ?? []).flatMap((r) => [r.name, ...(r.firstAvailable ?? []).map((a) => `${r.name}/${a.name}`)]));

/** The name of one of a claim's requests, or of an alternative of it. */
export function validateReference(name: string, known: ReadonlySet<string>, path: string, errors: FieldErrors): void {
  const wrong = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
  const parts = name.split('/');
  if (parts.length > 2) return errors.invalid(path, name, wrong);
  for (const part of parts) invalidEach(errors, path, part, isDNS1123Label(part));
  if (!known.has(name)) errors.invalid(path, name, wrong);
}

export function validateReferences(
  requests: readonly string[] | undefined,
  known: ReadonlySet<string>,
  path: string,
  errors: FieldErrors,
): void {
  eachItem(errors, path, requests, {
    max: max.requests,
    keyOf: (name) => name,
    check: (name, at) => validateReference(name, known, at, errors),
  });
}

function validateConstraint(c: DeepReadonly<DeviceConstraint>, known: ReadonlySet<string>, path: string, errors: FieldErrors): void {
  validateReferences(c.requests, known, `${path}.requests`, errors);
  if (c.matchAttribute !== undefined) fullyQualifiedName(errors, `${path}.matchAttribute`, c.matchAttribute);
  else if (c.distinctAttribute !== undefined) fullyQualifiedName(errors, `${path}.distinctAttribute`, c.distinctAttribute);
  else errors.required(path, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set');
}

export function validateOpaque(opaque: DeepReadonly<DeviceClaimConfiguration>['opaque'], path: string, errors: FieldErrors): void {
  if (opaque === undefined) return errors.required(path);
  driverName(errors, `${path}.driver`, opaque.driver);
  validateFreeObject(opaque.parameters, `${path}.parameters`, errors);
}

/** An object of a driver's own, of no more than 10 KiB. */
export function validateFreeObject(value: DeepReadonly<Json> | undefined, path: string, errors: FieldErrors): void {
  if (value === undefined || value === null) errors.required(path);
  else if (Buffer.byteLength(JSON.stringify(value)) > max.parameters) errors.tooLong(path, max.parameters);
  else if (typeof value !== 'object' || Array.isArray(value)) errors.invalid(path, '<value omitted>', 'must be a valid JSON object');
}

export function validateDeviceClaim(claim: DeepReadonly<DeviceClaim>, path: string, errors: FieldErrors): void {
  const known = requestNames(claim);
  eachItem(errors, `${path}.requests`, claim.requests, {
    max: max.requests,
    keyOf: (r) => r.name ?? '',
    check: (r, at) => validateRequest(r, at, errors),
  });
  eachItem(errors, `${path}.constraints`, claim.constraints, {
    max: max.constraints,
    check: (c, at) => validateConstraint(c, known, at, errors),
  });
  eachItem(errors, `${path}.config`, claim.config, {
    max: max.config,
    check: (c, at) => {
      validateReferences(c.requests, known, `${at}.requests`, errors);
      validateOpaque(c.opaque, `${at}.opaque`, errors);
    },
  });
}

export function validateClaimTemplateSpec(spec: DeepReadonly<ResourceClaimTemplateSpec> | undefined, errors: FieldErrors): void {
  validateTemplateMetadata(spec?.metadata ?? {}, 'spec.metadata', errors);
  validateDeviceClaim(spec?.spec?.devices ?? {}, 'spec.spec.devices', errors);
}

export function validateDeviceClassSpec(spec: DeepReadonly<DeviceClassSpec>, errors: FieldErrors): void {
  validateSelectors(spec.selectors, 'spec.selectors', errors);
  eachItem(errors, 'spec.config', spec.config, { max: max.config, check: (c, at) => validateOpaque(c.opaque, `${at}.opaque`, errors) });
  const name = spec.extendedResourceName;
  if (name !== undefined && !isExtendedResource(name)) {
    errors.invalid('spec.extendedResourceName', name, 'must be a valid extended resource name');
  }
}
