import {
  type DeepReadonly,
  type FieldErrors,
  fieldImmutableError,
  formatIP,
  parseCIDR,
  parseIP,
  validateConditions,
} from '@skiff/apimachinery';
import { validateNodeSelector } from '../../core/v1/pod/validate-affinity.ts';
import type { AllocatedDeviceStatus, AllocationResult, NetworkDeviceData, ResourceClaim } from '../../generated/types/resource-v1.ts';
import { goValue } from '../../go-value.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { dnsLabel, requireOneOf } from '../../validation.ts';
import { eachItem } from './each-item.ts';
import { driverName, poolName } from './names.ts';
import { requestNames, validateFreeObject, validateOpaque, validateReference, validateReferences } from './validate-claim.ts';
import { validateBindingConditions } from './validate-device.ts';

const max = { consumers: 256, results: 32, configs: 64, conditions: 8, addresses: 16, interfaceName: 256, hardwareAddress: 128 };

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
function validateShareID(id: string | undefined, path: string, errors: FieldErrors): void {
  if (id === undefined) return;
  if (uuid.test(id)) {
    if (id === id.toLowerCase()) return;
    const form = 'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters';
    return errors.invalid(path, id, form);
  }
  const wrong = id.length === 36 ? 'invalid UUID format' : `invalid UUID length: ${id.length}`;
  errors.invalid(path, id, `error validating uid: ${wrong}`);
}

type DeviceKey = Pick<DeepReadonly<AllocatedDeviceStatus>, 'driver' | 'pool' | 'device' | 'shareID'>;
/** A device, or the share of one, as a text. */
const deviceKey = (d: DeviceKey): string => [d.driver, d.pool, d.device, ...(d.shareID ? [d.shareID] : [])].join('/');

const shownKey = ({ driver = '', pool = '', device = '', shareID = '' }: Partial<DeviceKey>): unknown => ({
  Driver: driver,
  Pool: pool,
  Device: device,
  ShareID: shareID,
});

function validateAllocation(claim: DeepReadonly<ResourceClaim>, allocation: DeepReadonly<AllocationResult>, errors: FieldErrors): void {
  const path = 'status.allocation';
  const known = requestNames(claim.spec?.devices ?? {});
  eachItem(errors, `${path}.devices.results`, allocation.devices?.results, {
    max: max.results,
    check: (result, at) => {
      validateReference(result.request ?? '', known, `${at}.request`, errors);
      driverName(errors, `${at}.driver`, result.driver);
      poolName(errors, `${at}.pool`, result.pool ?? '');
      dnsLabel(errors, `${at}.device`, result.device ?? '');
      validateBindingConditions(result, at, errors);
      validateShareID(result.shareID, `${at}.shareID`, errors);
    },
  });
  eachItem(errors, `${path}.devices.config`, allocation.devices?.config, {
    max: max.configs,
    check: (config, at) => {
      requireOneOf(errors, `${at}.source`, config.source, ['FromClaim', 'FromClass']);
      validateReferences(config.requests, known, `${at}.requests`, errors);
      validateOpaque(config.opaque, `${at}.opaque`, errors);
    },
  });
  if (allocation.nodeSelector !== undefined) validateNodeSelector(allocation.nodeSelector, `${path}.nodeSelector`, false, errors);
}

function validateNetworkData(data: DeepReadonly<NetworkDeviceData>, path: string, errors: FieldErrors): void {
  for (const field of ['interfaceName', 'hardwareAddress'] as const) {
    if (Buffer.byteLength(data[field] ?? '') > max[field]) errors.tooLong(`${path}.${field}`, max[field]);
  }
  eachItem(errors, `${path}.ips`, data.ips, {
    max: max.addresses,
    keyOf: (address) => address,
    check: (address, at) => {
      const cidr = parseCIDR(address);
      const ip = parseIP(address.split('/')[0] ?? '');
      if (cidr === undefined || ip === undefined) {
        return errors.invalid(at, address, 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)');
      }
      const canonical = `${formatIP(ip)}/${cidr.prefixLength}`;
      if (address !== canonical) errors.invalid(at, address, `must be in canonical form (${JSON.stringify(canonical)})`);
    },
  });
}

function validateDeviceStatus(
  device: DeepReadonly<AllocatedDeviceStatus>,
  allocated: ReadonlySet<string>,
  path: string,
  errors: FieldErrors,
): void {
  driverName(errors, `${path}.driver`, device.driver);
  poolName(errors, `${path}.pool`, device.pool ?? '');
  dnsLabel(errors, `${path}.device`, device.device ?? '');
  validateShareID(device.shareID, `${path}.shareID`, errors);
  if (!allocated.has(deviceKey(device))) errors.invalid(path, shownKey(device), 'must be an allocated device in the claim');
  const conditions = device.conditions ?? [];
  if (conditions.length > max.conditions) errors.tooMany(`${path}.conditions`, conditions.length, max.conditions);
  validateConditions(conditions, `${path}.conditions`, errors);
  if (device.data !== undefined) validateFreeObject(device.data, `${path}.data`, errors);
  if (device.networkData !== undefined) validateNetworkData(device.networkData, `${path}.networkData`, errors);
}

const allocatedKeys = (allocation: DeepReadonly<AllocationResult> | undefined): Set<string> =>
  new Set((allocation?.devices?.results ?? []).map(deviceKey));

/** Devices given back lose their status with this write: whoever gives them back need not know that they have one (KEP-4817). */
export function dropStatusOfDeallocated(draft: ResourceClaim, old: DeepReadonly<ResourceClaim>): void {
  const { status } = draft;
  if (!status?.devices) return;
  const still = allocatedKeys(status.allocation);
  const givenBack = allocatedKeys(old.status?.allocation);
  const kept = status.devices.filter((d) => still.has(deviceKey(d)) || !givenBack.has(deviceKey(d)));
  if (kept.length === status.devices.length) return;
  if (kept.length > 0) status.devices = kept;
  else delete status.devices;
}

/** Who has a claim is told of in full, what was allocated stays until it is given back, and only devices of it have a status. */
export function validateClaimStatusUpdate(claim: DeepReadonly<ResourceClaim>, old: DeepReadonly<ResourceClaim>, errors: FieldErrors): void {
  const { reservedFor = [], allocation, devices } = claim.status ?? {};
  eachItem(errors, 'status.reservedFor', reservedFor, {
    max: max.consumers,
    keyOf: ({ uid }) => uid ?? '',
    check: (consumer, at) => {
      for (const field of ['resource', 'name', 'uid'] as const) if (!consumer[field]) errors.required(`${at}.${field}`);
    },
  });
  const allocated = allocatedKeys(allocation);
  eachItem(errors, 'status.devices', devices, {
    max: Number.POSITIVE_INFINITY,
    keyOf: deviceKey,
    shown: shownKey,
    check: (device, at) => validateDeviceStatus(device, allocated, at, errors),
  });
  if (reservedFor.length > 0 && allocation === undefined) {
    errors.forbidden('status.reservedFor', 'may not be specified when `allocated` is not set');
  } else if (claim.metadata?.deletionTimestamp) {
    const struct = 'io.k8s.api.resource.v1.ResourceClaimConsumerReference';
    const before = old.status?.reservedFor ?? [];
    if (reservedFor.some((consumer) => !before.some((b) => semanticEqual(struct, b, consumer)))) {
      errors.forbidden('status.reservedFor', 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set');
    }
  }
  const before = old.status?.allocation;
  const struct = 'io.k8s.api.resource.v1.AllocationResult';
  if (allocation === undefined) return;
  if (before === undefined) validateAllocation(claim, allocation, errors);
  else if (!semanticEqual(struct, allocation, before))
    errors.invalid('status.allocation', goValue(struct, allocation), fieldImmutableError);
}
