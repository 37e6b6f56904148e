import { type DeepReadonly, type FieldErrors, isDNS1123Subdomain, isValidLabelValue, validateLabelName } from '@skiff/apimachinery';
import { validateNodeSelector } from '../../core/v1/pod/validate-affinity.ts';
import type { Counter, Device, DeviceAttribute, DeviceTaint } from '../../generated/types/resource-v1.ts';
import { goValue } from '../../go-value.ts';
import { dnsLabel, invalidEach, keyPath } from '../../validation.ts';
import { eachItem } from './each-item.ts';
import { deviceQualifiedName } from './names.ts';
import { validateRequestPolicy } from './request-policy.ts';

const max = { attributesAndCapacities: 32, attributeValues: 48, value: 64, taints: 16, counterSets: 2, counters: 32, conditions: 4 };
const version =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/;

/** The fields of an attribute that hold lists. */
export const listAttributes = ['ints', 'bools', 'strings', 'versions'] as const;
const attributeFields = ['int', 'bool', 'string', 'version', ...listAttributes] as const;

const validateText = (text: string, path: string, errors: FieldErrors): void => {
  if (Buffer.byteLength(text) > max.value) errors.tooLong(path, max.value);
};
const validateVersion = (text: string, path: string, errors: FieldErrors): void => {
  if (!version.test(text)) errors.invalid(path, text, 'must be a string compatible with semver.org spec 2.0.0');
  validateText(text, path, errors);
};

function validateAttribute(attribute: DeepReadonly<DeviceAttribute>, path: string, errors: FieldErrors): void {
  if (attribute.string !== undefined) validateText(attribute.string, `${path}.string`, errors);
  if (attribute.version !== undefined) validateVersion(attribute.version, `${path}.version`, errors);
  for (const [i, text] of (attribute.strings ?? []).entries()) validateText(text, `${path}.strings[${i}]`, errors);
  for (const [i, text] of (attribute.versions ?? []).entries()) validateVersion(text, `${path}.versions[${i}]`, errors);
  const set = attributeFields.filter((field) => attribute[field] !== undefined);
  if (set.length === 1) return;
  const shown = set.length === 0 ? '' : goValue('io.k8s.api.resource.v1.DeviceAttribute', attribute);
  errors.invalid(path, shown, 'exactly one value must be specified');
}

export function validateCounters(
  counters: Readonly<Record<string, DeepReadonly<Counter>>> | undefined,
  path: string,
  errors: FieldErrors,
): void {
  const names = Object.keys(counters ?? {});
  if (names.length === 0) errors.required(path);
  else if (names.length > max.counters) errors.tooMany(path, names.length, max.counters);
  else for (const name of names) dnsLabel(errors, path, name);
}

function validateTaint(taint: DeepReadonly<DeviceTaint>, path: string, errors: FieldErrors): void {
  validateLabelName(taint.key ?? '', `${path}.key`, errors);
  invalidEach(errors, `${path}.value`, taint.value ?? '', isValidLabelValue(taint.value ?? ''));
  const effects = ['NoExecute', 'NoSchedule', 'None'];
  if (!taint.effect) errors.required(`${path}.effect`);
  else if (!effects.includes(taint.effect)) errors.notSupported(`${path}.effect`, taint.effect, effects);
}

/** Conditions that a device waits for before its pod is bound, and those that end the wait: both or none. */
export function validateBindingConditions(
  { bindingConditions = [], bindingFailureConditions = [] }: DeepReadonly<Pick<Device, 'bindingConditions' | 'bindingFailureConditions'>>,
  path: string,
  errors: FieldErrors,
): void {
  const lists = { bindingConditions, bindingFailureConditions };
  for (const [field, list] of Object.entries(lists)) {
    eachItem(errors, `${path}.${field}`, list, { max: max.conditions, check: (name, at) => validateLabelName(name, at, errors) });
  }
  for (const [field, list] of Object.entries(lists)) {
    for (const [i, name] of list.entries()) {
      const at = `${path}.${field}[${i}]`;
      if (list.indexOf(name) < i) errors.duplicate(at, name);
      if (field === 'bindingFailureConditions' && bindingConditions.includes(name)) {
        errors.invalid(at, name, 'bindingFailureConditions must not overlap with bindingConditions');
      }
    }
  }
  const needs = (field: string, other: string): void => errors.invalid(`${path}.${field}`, null, `${field} are required to use ${other}`);
  if (bindingConditions.length === 0 && bindingFailureConditions.length > 0) needs('bindingConditions', 'bindingFailureConditions');
  if (bindingFailureConditions.length === 0 && bindingConditions.length > 0) needs('bindingFailureConditions', 'bindingConditions');
}

/** Which nodes reach a device: said by its slice, or (`perDevice`) by itself, in one way. */
function validateNodes(device: DeepReadonly<Device>, path: string, perDevice: boolean, errors: FieldErrors): void {
  const { nodeName, nodeSelector, allNodes } = device;
  if (!perDevice) {
    const only =
      '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
    if (nodeName !== undefined || nodeSelector !== undefined || allNodes !== undefined) errors.invalid(path, null, only);
    return;
  }
  if (nodeName === '') errors.invalid(`${path}.nodeName`, '', 'must not be empty');
  else if (nodeName !== undefined) invalidEach(errors, `${path}.nodeName`, nodeName, isDNS1123Subdomain(nodeName));
  if (nodeSelector !== undefined) validateNodeSelector(nodeSelector, `${path}.nodeSelector`, false, errors);
  if (allNodes === false) errors.invalid(`${path}.allNodes`, false, 'must be either unset or set to true');
  const chosen = [
    ...(nodeName ? ['`nodeName`'] : []),
    ...(nodeSelector === undefined ? [] : ['`nodeSelector`']),
    ...(allNodes === true ? ['`allNodes`'] : []),
  ];
  const one =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (chosen.length === 0) errors.required(path, one);
  else if (chosen.length > 1) errors.invalid(path, `{${chosen.join(', ')}}`, one);
}

export function validateDevice(device: DeepReadonly<Device>, path: string, perDevice: boolean, errors: FieldErrors): void {
  dnsLabel(errors, `${path}.name`, device.name ?? '');
  const [attributes, capacity] = [Object.entries(device.attributes ?? {}), Object.entries(device.capacity ?? {})];
  const count = attributes.length + capacity.length;
  if (count > max.attributesAndCapacities) {
    errors.invalid(path, count, `the total number of attributes and capacities must not exceed ${max.attributesAndCapacities}`);
  }
  const values = attributes.reduce((sum, [, a]) => sum + Math.max(1, ...listAttributes.map((field) => a[field]?.length ?? 0)), 0);
  if (values > max.attributeValues) {
    errors.invalid(path, values, `the total number of attribute values must not exceed ${max.attributeValues}`);
  }
  for (const [key, value] of attributes) {
    deviceQualifiedName(errors, `${path}.attributes`, key);
    validateAttribute(value, keyPath(`${path}.attributes`, key), errors);
  }
  for (const [key, { value, requestPolicy }] of capacity) {
    deviceQualifiedName(errors, `${path}.capacity`, key);
    if (requestPolicy === undefined) continue;
    const at = `${keyPath(`${path}.capacity`, key)}.requestPolicy`;
    if (device.allowMultipleAllocations === true) validateRequestPolicy(requestPolicy, value ?? '0', at, errors);
    else errors.forbidden(at, 'allowMultipleAllocations must be true');
  }
  eachItem(errors, `${path}.taints`, device.taints, { max: max.taints, check: (taint, at) => validateTaint(taint, at, errors) });
  eachItem(errors, `${path}.consumesCounters`, device.consumesCounters, {
    max: max.counterSets,
    keyOf: (c) => c.counterSet ?? '',
    check: ({ counterSet, counters }, at) => {
      if (!counterSet) errors.required(`${at}.counterSet`);
      else dnsLabel(errors, `${at}.counterSet`, counterSet);
      validateCounters(counters, `${at}.counters`, errors);
    },
  });
  validateNodes(device, path, perDevice, errors);
  validateBindingConditions(device, path, errors);
}
