import { type DeepReadonly, type FieldErrors, isDNS1123Subdomain } from '@skiff/apimachinery';
import { validateNodeSelector } from '../../core/v1/pod/validate-affinity.ts';
import type { Device, ResourceSlice } from '../../generated/types/resource-v1.ts';
import { goValue } from '../../go-value.ts';
import { dnsLabel, immutable, invalidEach } from '../../validation.ts';
import { eachItem } from './each-item.ts';
import { driverName, poolName } from './names.ts';
import { listAttributes, validateCounters, validateDevice } from './validate-device.ts';

const max = { devices: 128, elaborateDevices: 64, counterSets: 8 };

/** What makes slices so large that they may have fewer devices. */
const isElaborate = (device: DeepReadonly<Device>): boolean =>
  (device.taints ?? []).length > 0 ||
  (device.consumesCounters ?? []).length > 0 ||
  Object.values(device.attributes ?? {}).some((a) => listAttributes.some((field) => a[field] !== undefined));

/** A slice belongs to a driver's pool and to some nodes, in one way. It has devices, or counters that those of other slices share. */
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
  const devices = spec.devices ?? [];
  const counterSets = spec.sharedCounters ?? [];
  if (devices.length > 0 && counterSets.length > 0) errors.invalid('spec', '', 'only one of `sharedCounters` or `devices` is allowed');
  eachItem(errors, 'spec.devices', devices, {
    max: devices.some(isElaborate) ? max.elaborateDevices : max.devices,
    keyOf: (device) => device.name ?? '',
    check: (device, at) => validateDevice(device, at, spec.perDeviceNodeSelection === true, errors),
  });
  eachItem(errors, 'spec.sharedCounters', counterSets, {
    max: max.counterSets,
    keyOf: ({ name }) => name ?? '',
    check: ({ name, counters }, at) => {
      if (!name) errors.required(`${at}.name`);
      else dnsLabel(errors, `${at}.name`, name);
      validateCounters(counters, `${at}.counters`, errors);
    },
  });
}
