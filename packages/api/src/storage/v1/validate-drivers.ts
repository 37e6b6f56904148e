/** CSIDriver, CSINode and VolumeAttachment. */
import { type DeepReadonly, type FieldErrors, fieldImmutableError, nameIsDNSSubdomain } from '@skiff/apimachinery';
import { checkCSIDriverName } from '../../core/v1/volume-source-checks.ts';
import type { CSIDriver, CSINode, CSINodeDriver, StorageV1TokenRequest, VolumeAttachment } from '../../generated/types/storage-v1.ts';
import { deepEqual } from '../../semantic-equality.ts';
import { goValue } from '../../go-value.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { immutable, invalidEach, nonNegative, qualifiedName, requireText } from '../../validation.ts';

type Driver = DeepReadonly<CSIDriver>;

const minTokenSeconds = 600;
const maxTokenSeconds = 2 ** 32;

function validateTokenRequests(requests: readonly DeepReadonly<StorageV1TokenRequest>[], errors: FieldErrors): void {
  for (const [i, { audience, expirationSeconds }] of requests.entries()) {
    const at = `spec.tokenRequests[${i}]`;
    if (requests.findIndex((r) => r.audience === audience) < i) {
      errors.duplicate(`${at}.audience`, audience);
      continue;
    }
    if (expirationSeconds === undefined) continue;
    const path = `${at}.expirationSeconds`;
    if (expirationSeconds < minTokenSeconds) errors.invalid(path, expirationSeconds, 'may not specify a duration less than 10 minutes');
    if (expirationSeconds > maxTokenSeconds) errors.invalid(path, expirationSeconds, 'may not specify a duration larger than 2^32 seconds');
  }
}

export function validateDriver(driver: Driver, errors: FieldErrors): void {
  const spec = driver.spec ?? {};
  if (spec.attachRequired === undefined) errors.required('spec.attachedRequired');
  for (const field of ['podInfoOnMount', 'storageCapacity'] as const) if (spec[field] === undefined) errors.required(`spec.${field}`);
  const policies = ['File', 'None', 'ReadWriteOnceWithFSType'];
  if (spec.fsGroupPolicy !== undefined && !policies.includes(spec.fsGroupPolicy)) {
    errors.notSupported('spec.fsGroupPolicy', spec.fsGroupPolicy, policies);
  }
  const requests = spec.tokenRequests ?? [];
  validateTokenRequests(requests, errors);
  const modes = ['Persistent', 'Ephemeral'];
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (!modes.includes(mode)) errors.notSupported('spec.volumeLifecycleModes', mode, modes);
  }
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < 10) {
    errors.invalid('spec.nodeAllocatableUpdatePeriodSeconds', period, 'must be greater than or equal to 10 seconds');
  }
  const inSecrets = spec.serviceAccountTokenInSecrets;
  if (inSecrets !== undefined && requests.length === 0) {
    const detail = 'serviceAccountTokenInSecrets is set but no tokenRequests are specified';
    errors.invalid('spec.serviceAccountTokenInSecrets', inSecrets, detail);
  }
}

export function validateDriverUpdate(driver: Driver, old: Driver, errors: FieldErrors): void {
  validateDriver(driver, errors);
  immutable(errors, 'spec.attachedRequired', driver.spec?.attachRequired, old.spec?.attachRequired);
  immutable(errors, 'spec.volumeLifecycleModes', driver.spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes);
}

export function driverWarnings(driver: Driver, old?: Driver): string[] {
  const { tokenRequests = [], serviceAccountTokenInSecrets } = driver.spec ?? {};
  if (tokenRequests.length === 0 || serviceAccountTokenInSecrets !== undefined) return [];
  if (old !== undefined && deepEqual(tokenRequests, old.spec?.tokenRequests ?? [])) return [];
  const field = 'spec.serviceAccountTokenInSecrets';
  return [`${field} is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes`];
}

type NodeDriver = DeepReadonly<CSINodeDriver>;
const maxNodeIDLength = 256;

function validateNodeDriver(driver: NodeDriver, at: string, errors: FieldErrors): void {
  checkCSIDriverName(driver.name, `${at}.name`, errors);
  requireText(errors, `${at}.nodeID`, driver.nodeID);
  if (driver.nodeID.length > maxNodeIDLength) {
    errors.invalid(`${at}.nodeID`, driver.nodeID, `must be ${maxNodeIDLength} characters or less`);
  }
  nonNegative(errors, `${at}.allocatable.count`, driver.allocatable?.count);
}

function validateTopologyKeys(keys: readonly string[], at: string, errors: FieldErrors): void {
  for (const [i, key] of keys.entries()) {
    requireText(errors, at, key);
    if (keys.indexOf(key) < i) errors.duplicate(at, key);
    qualifiedName(errors, at, key);
  }
}

export function validateCSINode(node: DeepReadonly<CSINode>, errors: FieldErrors): void {
  const drivers = node.spec?.drivers ?? [];
  for (const [i, driver] of drivers.entries()) {
    const at = `spec.drivers[${i}]`;
    validateNodeDriver(driver, at, errors);
    if (drivers.findIndex((d) => d.name === driver.name) < i) errors.duplicate(`${at}.name`, driver.name);
    validateTopologyKeys(driver.topologyKeys ?? [], at, errors);
  }
}

const nodeDriverStruct = 'io.k8s.api.storage.v1.CSINodeDriver';

/** A driver comes and goes as a whole; only how many volumes it takes may change. */
export function validateCSINodeUpdate(node: DeepReadonly<CSINode>, old: DeepReadonly<CSINode>, errors: FieldErrors): void {
  validateCSINode(node, errors);
  const fixed = ({ allocatable: _allocatable, topologyKeys, ...rest }: NodeDriver): object => ({
    ...rest,
    ...(topologyKeys?.length ? { topologyKeys } : {}),
  });
  for (const before of old.spec?.drivers ?? []) {
    for (const driver of node.spec?.drivers ?? []) {
      if (driver.name !== before.name || semanticEqual(nodeDriverStruct, fixed(driver), fixed(before))) continue;
      errors.invalid('spec.drivers', goValue(nodeDriverStruct, fixed(driver)), fieldImmutableError);
    }
  }
}

type Attachment = DeepReadonly<VolumeAttachment>;
const max = { metadataBytes: 256 * 1024, messageBytes: 1024 };

export function validateAttachment(attachment: Attachment, errors: FieldErrors): void {
  const spec = attachment.spec;
  if (spec === undefined) return;
  checkCSIDriverName(spec.attacher, 'spec.attacher', errors);
  const { inlineVolumeSpec: inline, persistentVolumeName: name } = spec.source;
  const exactlyOne = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inline === undefined && name === undefined) errors.required('spec.source', exactlyOne);
  else if (inline !== undefined && name !== undefined) errors.forbidden('spec.source', exactlyOne);
  else if (name === '') errors.required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName');
  invalidEach(errors, 'spec.nodeName', spec.nodeName, nameIsDNSSubdomain(spec.nodeName, false));
  validateAttachmentStatus(attachment, errors);
  if (name !== undefined) invalidEach(errors, 'spec.source.persistentVolumeName', name, nameIsDNSSubdomain(name, false));
}

export function validateAttachmentStatus(attachment: Attachment, errors: FieldErrors): void {
  const status = attachment.status;
  const size = Object.entries(status?.attachmentMetadata ?? {}).reduce((n, [k, v]) => n + Buffer.byteLength(k) + Buffer.byteLength(v), 0);
  if (size > max.metadataBytes) errors.tooLong('status.attachmentMetadata', max.metadataBytes);
  for (const field of ['attachError', 'detachError'] as const) {
    const error = status?.[field];
    if (error === undefined) continue;
    if (Buffer.byteLength(error.message ?? '') > max.messageBytes) errors.tooLong(`status.${field}.message`, max.metadataBytes);
    if ((error.errorCode ?? 0) < 0)
      errors.invalid(`status.${field}.errorCode`, error.errorCode, 'must be between 0 and 2147483647, inclusive');
  }
}

export function validateAttachmentUpdate(attachment: Attachment, old: Attachment, errors: FieldErrors): void {
  validateAttachment(attachment, errors);
  const struct = 'io.k8s.api.storage.v1.VolumeAttachmentSpec';
  if (semanticEqual(struct, attachment.spec, old.spec)) return;
  errors.invalid('spec', goValue(struct, attachment.spec ?? {}), fieldImmutableError);
}
