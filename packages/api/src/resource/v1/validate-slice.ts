import {
  type DeepReadonly,
  type FieldErrors,
  isDNS1123Subdomain,
  isValidLabelValue,
  type JsonObject,
  validateLabelName,
} from '@skiff/apimachinery';
import { validateNodeSelector } from '../../core/v1/pod/validate-affinity.ts';
import type { Device, DeviceTaint, ResourceSlice } from '../../generated/types/resource-v1.ts';
import { goValue } from '../../go-value.ts';
import { dnsLabel, immutable, invalidEach } from '../../validation.ts';
import { deviceQualifiedName, driverName, poolName } from './names.ts';

const max = { devices: 128, attributesAndCapacities: 32, value: 64, taints: 16 };
const version =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/;
const attributeValues = ['bool', 'int', 'string', 'version', 'bools', 'ints', 'strings', 'versions'];

function validateAttribute(attribute: JsonObject, path: string, errors: FieldErrors): void {
  const { string, version: semver } = attribute;
  if (typeof string === 'string' && Buffer.byteLength(string) > max.value) errors.tooLong(`${path}.string`, max.value);
  if (typeof semver === 'string') {
    if (!version.test(semver)) errors.invalid(`${path}.version`, semver, 'must be a string compatible with semver.org spec 2.0.0');
    if (Buffer.byteLength(semver) > max.value) errors.tooLong(`${path}.version`, max.value);
  }
  const set = attributeValues.filter((field) => attribute[field] !== undefined);
  if (set.length === 0) errors.invalid(path, '', 'exactly one value must be specified');
}

function validateTaint(taint: DeepReadonly<DeviceTaint>, path: string, errors: FieldErrors): void {
  validateLabelName(taint.key ?? '', `${path}.key`, errors);
  invalidEach(errors, `${path}.value`, taint.value ?? '', isValidLabelValue(taint.value ?? ''));
  const effects = ['NoExecute', 'NoSchedule', 'None'];
  if (!taint.effect) errors.required(`${path}.effect`);
  else if (!effects.includes(taint.effect)) errors.notSupported(`${path}.effect`, taint.effect, effects);
}

function validateDevice(device: DeepReadonly<Device>, path: string, perDevice: boolean, errors: FieldErrors): void {
  dnsLabel(errors, `${path}.name`, device.name ?? '');
  const [attributes, capacity] = [Object.entries(device.attributes ?? {}), Object.entries(device.capacity ?? {})];
  const count = attributes.length + capacity.length;
  if (count > max.attributesAndCapacities) {
    errors.invalid(path, count, `the total number of attributes and capacities must not exceed ${max.attributesAndCapacities}`);
  }
  const keyed = (field: string, key: string): string => `${path}.${field}[${key}]`;
  for (const [key, value] of attributes) {
    deviceQualifiedName(errors, `${path}.attributes`, key);
    validateAttribute(value as unknown as JsonObject, keyed('attributes', key), errors);
  }
  for (const [key, value] of capacity) {
    deviceQualifiedName(errors, `${path}.capacity`, key);
    if (value.requestPolicy !== undefined && device.allowMultipleAllocations !== true) {
      errors.forbidden(`${keyed('capacity', key)}.requestPolicy`, 'allowMultipleAllocations must be true');
    }
  }
  if ((device.taints ?? []).length > max.taints) errors.tooMany(`${path}.taints`, (device.taints ?? []).length, max.taints);
  else for (const [i, taint] of (device.taints ?? []).entries()) validateTaint(taint, `${path}.taints[${i}]`, errors);
  const places = [device.nodeName, device.nodeSelector, device.allNodes].filter((place) => place !== undefined);
  if (!perDevice && places.length > 0) {
    const only =
      '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
    errors.invalid(path, null, only);
  }
}

/** A slice belongs to a driver's pool and to some nodes, in one way. What goes deeper (counters, request policies) is not looked at. */
export function validateSlice(slice: DeepReadonly<ResourceSlice>, errors: FieldErrors, old?: DeepReadonly<ResourceSlice>): void {
  const spec: Partial<DeepReadonly<NonNullable<ResourceSlice['spec']>>> = slice.spec ?? {};
  driverName(errors, 'spec.driver', spec.driver ?? '');
  poolName(errors, 'spec.pool.name', spec.pool?.name ?? '');
  const { resourceSliceCount = 0, generation = 0 } = spec.pool ?? {};
  if (Number(resourceSliceCount) <= 0) errors.invalid('spec.pool.resourceSliceCount', resourceSliceCount, 'must be greater than zero');
  if (Number(generation) < 0) errors.invalid('spec.pool.generation', generation, 'must be greater than or equal to zero');
  if (old !== undefined) {
    immutable(errors, 'spec.pool.name', spec.pool?.name ?? '', old.spec?.pool.name ?? '');
    immutable(errors, 'spec.driver', spec.driver ?? '', old.spec?.driver ?? '');
    immutable(errors, 'spec.nodeName', spec.nodeName, old.spec?.nodeName);
  }
  const ways = ['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection'] as const;
  if (spec.nodeName) invalidEach(errors, 'spec.nodeName', spec.nodeName, isDNS1123Subdomain(spec.nodeName));
  else if (spec.nodeName === '') errors.invalid('spec.nodeName', '', 'must be either unset or set to a non-empty string');
  if (spec.nodeSelector !== undefined) {
    validateNodeSelector(spec.nodeSelector, 'spec.nodeSelector', false, errors);
    const terms = spec.nodeSelector.nodeSelectorTerms ?? [];
    if (terms.length !== 1) {
      const shown = terms.length === 0 ? null : terms.map((term) => goValue('io.k8s.api.core.v1.NodeSelectorTerm', term));
      errors.invalid('spec.nodeSelector.nodeSelectorTerms', shown, 'must have exactly one node selector term');
    }
  }
  for (const field of ['allNodes', 'perDeviceNodeSelection'] as const) {
    if (spec[field] === false) errors.invalid(`spec.${field}`, false, 'must be either unset or set to true');
  }
  const chosen = ways.filter((field) => spec[field] !== undefined && spec[field] !== false && spec[field] !== '');
  const one = `exactly one of ${ways.map((w) => `\`${w}\``).join(', ')} is required`;
  if (chosen.length === 0) errors.required('spec', one);
  else if (chosen.length > 1)
    errors.invalid('spec', `{${chosen.map((w) => `\`${w}\``).join(', ')}}`, `${one}, but multiple fields are set`);
  for (const [i, { name, counters }] of (spec.sharedCounters ?? []).entries()) {
    const at = `spec.sharedCounters[${i}]`;
    if (!name) errors.required(`${at}.name`);
    else dnsLabel(errors, `${at}.name`, name);
    if (Object.keys(counters ?? {}).length === 0) errors.required(`${at}.counters`);
  }
  const devices = spec.devices ?? [];
  if (devices.length > max.devices) return errors.tooMany('spec.devices', devices.length, max.devices);
  const seen = new Set<string>();
  for (const [i, device] of devices.entries()) {
    validateDevice(device, `spec.devices[${i}]`, spec.perDeviceNodeSelection === true, errors);
    if (seen.has(device.name)) errors.duplicate(`spec.devices[${i}]`, device.name);
    seen.add(device.name);
  }
}
