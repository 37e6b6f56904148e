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
} from '../../generated/types/resource-v1.ts';
import { dnsLabel, invalidEach } from '../../validation.ts';
import { driverName, fullyQualifiedName } from './names.ts';

const max = {
  requests: 32,
  constraints: 32,
  config: 32,
  selectors: 32,
  alternatives: 8,
  tolerations: 16,
  parameters: 10 * 1024,
  expression: 10 * 1024,
};

/** Each item by `check`, unless there are too many. `keyOf`: no two with the same. */
function each<T>(
  errors: FieldErrors,
  path: string,
  items: readonly T[] | null | undefined,
  o: { readonly max: number; readonly keyOf?: (item: T) => string; readonly check: (item: T, path: string) => void },
): void {
  const list = items ?? [];
  if (list.length > o.max) return errors.tooMany(path, list.length, o.max);
  const seen = new Set<string>();
  for (const [i, item] of list.entries()) {
    o.check(item, `${path}[${i}]`);
    const key = o.keyOf?.(item);
    if (key === undefined) continue;
    if (seen.has(key)) errors.duplicate(`${path}[${i}]`, key);
    seen.add(key);
  }
}

/** Expressions are taken as they are: nothing allocates devices here. */
function validateSelectors(selectors: readonly DeepReadonly<DeviceSelector>[] | undefined, path: string, errors: FieldErrors): void {
  each(errors, path, selectors, {
    max: max.selectors,
    check: ({ cel }, at) => {
      if (cel === undefined) errors.required(`${at}.cel`);
      else if (cel.expression.length > max.expression) errors.tooLong(`${at}.cel.expression`, max.expression);
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
    each(errors, `${path}.firstAvailable`, alternatives, {
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
const namesOf = (claim: DeepReadonly<DeviceClaim>): ReadonlySet<string> =>
  new Set((claim.requests ?? []).flatMap((r) => [r.name, ...(r.firstAvailable ?? []).map((a) => `${r.name}/${a.name}`)]));

function validateReferences(requests: readonly string[] | undefined, known: ReadonlySet<string>, path: string, errors: FieldErrors): void {
  const wrong = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
  each(errors, path, requests, {
    max: max.requests,
    keyOf: (name) => name,
    check: (name, at) => {
      const parts = name.split('/');
      if (parts.length > 2) return errors.invalid(at, name, wrong);
      for (const part of parts) invalidEach(errors, at, part, isDNS1123Label(part));
      if (!known.has(name)) errors.invalid(at, name, wrong);
    },
  });
}

function validateConstraint(c: DeepReadonly<DeviceConstraint>, known: ReadonlySet<string>, path: string, errors: FieldErrors): void {
  validateReferences(c.requests, known, `${path}.requests`, errors);
  if (c.matchAttribute !== undefined) fullyQualifiedName(errors, `${path}.matchAttribute`, c.matchAttribute);
  else if (c.distinctAttribute !== undefined) fullyQualifiedName(errors, `${path}.distinctAttribute`, c.distinctAttribute);
  else errors.required(path, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set');
}

function validateOpaque(opaque: DeepReadonly<DeviceClaimConfiguration>['opaque'], path: string, errors: FieldErrors): void {
  if (opaque === undefined) return errors.required(path);
  driverName(errors, `${path}.driver`, opaque.driver);
  const parameters = opaque.parameters as unknown as Json | undefined;
  if (parameters === undefined || parameters === null) errors.required(`${path}.parameters`);
  else if (JSON.stringify(parameters).length > max.parameters) errors.tooLong(`${path}.parameters`, max.parameters);
  else if (typeof parameters !== 'object' || Array.isArray(parameters)) {
    errors.invalid(`${path}.parameters`, '<value omitted>', 'must be a valid JSON object');
  }
}

export function validateDeviceClaim(claim: DeepReadonly<DeviceClaim>, path: string, errors: FieldErrors): void {
  const known = namesOf(claim);
  each(errors, `${path}.requests`, claim.requests, {
    max: max.requests,
    keyOf: (r) => r.name ?? '',
    check: (r, at) => validateRequest(r, at, errors),
  });
  each(errors, `${path}.constraints`, claim.constraints, {
    max: max.constraints,
    check: (c, at) => validateConstraint(c, known, at, errors),
  });
  each(errors, `${path}.config`, claim.config, {
    max: max.config,
    check: (c, at) => {
      validateReferences(c.requests, known, `${at}.requests`, errors);
      validateOpaque(c.opaque, `${at}.opaque`, errors);
    },
  });
}

export function validateDeviceClassSpec(spec: DeepReadonly<DeviceClassSpec>, errors: FieldErrors): void {
  validateSelectors(spec.selectors, 'spec.selectors', errors);
  each(errors, 'spec.config', spec.config, { max: max.config, check: (c, at) => validateOpaque(c.opaque, `${at}.opaque`, errors) });
}
