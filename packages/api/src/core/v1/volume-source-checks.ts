import { type DeepReadonly, type FieldErrors, inclusiveRangeError, isDNS1123Subdomain, nameIsDNSSubdomain } from '@skiff/apimachinery';
import type * as core from '../../generated/types/core-v1.ts';
import { dnsLabel, invalidEach, keyPath, requireText } from '../../validation.ts';
import { fileMode, localDescendingPath, localNonReservedPath, noBacksteps } from './file-paths.ts';

type Read<T> = DeepReadonly<T>;

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];

export function checkHostPath(source: Read<core.HostPathVolumeSource>, path: string, errors: FieldErrors): void {
  if (!requireText(errors, `${path}.path`, source.path)) return;
  noBacksteps(errors, `${path}.path`, source.path);
  if (source.type !== undefined && !hostPathTypes.includes(source.type)) errors.notSupported(`${path}.type`, source.type, hostPathTypes);
}

export function checkGitRepo(source: Read<core.GitRepoVolumeSource>, path: string, errors: FieldErrors): void {
  requireText(errors, `${path}.repository`, source.repository);
  localDescendingPath(errors, `${path}.directory`, source.directory ?? '');
}

/** GCE and AWS disks: an id and a partition. */
export function checkDisk(id: { field: string; value: string | undefined }, partition: number, path: string, errors: FieldErrors): void {
  requireText(errors, `${path}.${id.field}`, id.value);
  if (partition < 0 || partition > 255) errors.invalid(`${path}.partition`, partition, inclusiveRangeError(1, 255));
}

interface KeyedFiles {
  readonly defaultMode?: number;
  readonly items?: readonly Read<core.KeyToPath>[];
}

export function checkKeyToPath(item: Read<core.KeyToPath>, path: string, errors: FieldErrors): void {
  requireText(errors, `${path}.key`, item.key);
  requireText(errors, `${path}.path`, item.path);
  localNonReservedPath(errors, `${path}.path`, item.path ?? '');
  fileMode(errors, `${path}.mode`, item.mode);
}

/** Secret and ConfigMap volumes, which differ in what their name is called. */
export function checkKeyedFiles(
  source: KeyedFiles,
  name: { field: string; value: string | undefined },
  path: string,
  errors: FieldErrors,
): void {
  requireText(errors, `${path}.${name.field}`, name.value);
  fileMode(errors, `${path}.defaultMode`, source.defaultMode);
  for (const [i, item] of (source.items ?? []).entries()) checkKeyToPath(item, `${path}.items[${i}]`, errors);
}

export function checkNFS(source: Read<core.NFSVolumeSource>, path: string, errors: FieldErrors): void {
  requireText(errors, `${path}.server`, source.server);
  requireText(errors, `${path}.path`, source.path);
  if (!(source.path ?? '').startsWith('/')) errors.invalid(`${path}.path`, source.path ?? '', 'must be an absolute path');
}

const initiatorFormats: readonly (readonly [prefix: string, format: RegExp])[] = [
  ['iqn', /iqn\.\d{4}-\d{2}\.([0-9A-Za-z\-.]+)(:[^,;*&$|\s]+)$/],
  ['eui', /^eui.[0-9A-Za-z]{16}$/],
  ['naa', /^naa.[0-9A-Za-z]{32}$/],
];

function checkInitiator(name: string, path: string, unknownPrefix: string, errors: FieldErrors): void {
  const rule = initiatorFormats.find(([prefix]) => name.startsWith(prefix));
  if (rule === undefined) errors.invalid(path, name, unknownPrefix);
  else if (!rule[1].test(name)) errors.invalid(path, name, 'must be valid format');
}

type ISCSI = Read<core.ISCSIVolumeSource> | Read<core.ISCSIPersistentVolumeSource>;

/** `volumeName`: of a PersistentVolume, whose rules are a little stricter. */
export function checkISCSI(source: ISCSI, path: string, errors: FieldErrors, volumeName?: string): void {
  const unknownPrefix = volumeName === undefined ? 'must be valid format starting with iqn, eui, or naa' : 'must be valid format';
  requireText(errors, `${path}.targetPortal`, source.targetPortal);
  if (volumeName !== undefined && source.initiatorName !== undefined && `${volumeName}:${source.targetPortal}`.length > 64) {
    errors.invalid(
      `${path}.targetportal`,
      source.targetPortal,
      'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
    );
  }
  if (requireText(errors, `${path}.iqn`, source.iqn)) checkInitiator(source.iqn, `${path}.iqn`, unknownPrefix, errors);
  const lun = source.lun ?? 0;
  if (lun < 0 || lun > 255) errors.invalid(`${path}.lun`, lun, inclusiveRangeError(0, 255));
  if ((source.chapAuthDiscovery || source.chapAuthSession) && source.secretRef === undefined) errors.required(`${path}.secretRef`);
  if (volumeName !== undefined && source.secretRef) requireText(errors, `${path}.secretRef.name`, source.secretRef.name);
  if (source.initiatorName !== undefined) checkInitiator(source.initiatorName, `${path}.initiatorname`, unknownPrefix, errors);
}

export function checkFC(source: Read<core.FCVolumeSource>, path: string, errors: FieldErrors): void {
  const wwns = source.targetWWNs ?? [];
  const wwids = source.wwids ?? [];
  if (wwns.length === 0 && wwids.length === 0)
    errors.required(`${path}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both');
  if (wwns.length > 0 && wwids.length > 0)
    errors.invalid(`${path}.targetWWNs`, wwns, 'targetWWNs and wwids can not be specified simultaneously');
  if (wwns.length === 0) return;
  if (source.lun === undefined) errors.required(`${path}.lun`, 'lun is required if targetWWNs is specified');
  else if (source.lun < 0 || source.lun > 255) errors.invalid(`${path}.lun`, source.lun, inclusiveRangeError(0, 255));
}

export function checkQuobyte(source: Read<core.QuobyteVolumeSource>, path: string, errors: FieldErrors): void {
  const pairs = 'must be a host:port pair or multiple pairs separated by commas';
  if (!source.registry) errors.required(`${path}.registry`, pairs);
  else if ((source.tenant ?? '').length >= 65)
    errors.required(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters');
  else {
    const isHostPort = (pair: string): boolean => /^(\[[^\]]*\]|[^:[\]]*):[^:[\]]*$/.test(pair);
    for (const pair of source.registry.split(',')) if (!isHostPort(pair)) errors.invalid(`${path}.registry`, source.registry, pairs);
  }
  requireText(errors, `${path}.volume`, source.volume);
}

export function checkFlocker(source: Read<core.FlockerVolumeSource>, path: string, errors: FieldErrors): void {
  if (!source.datasetName && !source.datasetUUID) errors.required(path, 'one of datasetName and datasetUUID is required');
  if (source.datasetName && source.datasetUUID) {
    errors.invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously');
  }
  if (source.datasetName?.includes('/')) errors.invalid(`${path}.datasetName`, source.datasetName, "must not contain '/'");
}

type Flex = Read<core.FlexVolumeSource> | Read<core.FlexPersistentVolumeSource>;

export function checkFlex(source: Flex, path: string, errors: FieldErrors): void {
  requireText(errors, `${path}.driver`, source.driver);
  for (const key of Object.keys(source.options ?? {})) {
    const domain = `.${key.split('/', 1)[0]?.toLowerCase() ?? ''}`;
    if (domain.endsWith('.kubernetes.io') || domain.endsWith('.k8s.io')) {
      errors.invalid(keyPath(`${path}.options`, key), key, 'kubernetes.io and k8s.io namespaces are reserved');
    }
  }
}

export function checkAzureDisk(source: Read<core.AzureDiskVolumeSource>, path: string, errors: FieldErrors): void {
  requireText(errors, `${path}.diskName`, source.diskName);
  requireText(errors, `${path}.diskURI`, source.diskURI);
  const cachingModes = ['None', 'ReadOnly', 'ReadWrite'];
  const kinds = ['Dedicated', 'Managed', 'Shared'];
  const { cachingMode, kind, diskURI } = source;
  if (cachingMode !== undefined && !cachingModes.includes(cachingMode))
    errors.notSupported(`${path}.cachingMode`, cachingMode, cachingModes);
  if (kind === undefined) return;
  if (!kinds.includes(kind)) errors.notSupported(`${path}.kind`, kind, kinds);
  const [prefix, example] =
    kind === 'Managed'
      ? ['/subscriptions/', '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}']
      : ['https://', 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'];
  if (!diskURI.startsWith(prefix)) errors.notSupported(`${path}.diskURI`, diskURI, [example]);
}

type StorageOS = Read<core.StorageOSVolumeSource> | Read<core.StorageOSPersistentVolumeSource>;

/** The secret of a PersistentVolume also names its namespace. */
export function checkStorageOS(source: StorageOS, path: string, errors: FieldErrors, persistent = false): void {
  if (requireText(errors, `${path}.volumeName`, source.volumeName)) dnsLabel(errors, `${path}.volumeName`, source.volumeName);
  if (source.volumeNamespace) dnsLabel(errors, `${path}.volumeNamespace`, source.volumeNamespace);
  checkSecretRef(source.secretRef, `${path}.secretRef`, errors, persistent);
}

export function checkSecretRef(
  ref: { readonly name?: string; readonly namespace?: string } | undefined,
  path: string,
  errors: FieldErrors,
  withNamespace: boolean,
): void {
  if (ref === undefined) return;
  requireText(errors, `${path}.name`, ref.name);
  if (withNamespace) requireText(errors, `${path}.namespace`, ref.namespace);
}

export function checkCSIDriverName(name: string | undefined, path: string, errors: FieldErrors): void {
  if (!requireText(errors, path, name)) return;
  if (Buffer.byteLength(name) > 63) errors.tooLong(path, 63);
  invalidEach(errors, path, name, isDNS1123Subdomain(name.toLowerCase()));
}

export function checkCSI(source: Read<core.CSIVolumeSource>, path: string, errors: FieldErrors): void {
  checkCSIDriverName(source.driver, `${path}.driver`, errors);
  const ref = source.nodePublishSecretRef;
  if (ref && requireText(errors, `${path}.nodePublishSecretRef.name`, ref.name)) {
    invalidEach(errors, `${path}.name`, ref.name, nameIsDNSSubdomain(ref.name, false));
  }
}
