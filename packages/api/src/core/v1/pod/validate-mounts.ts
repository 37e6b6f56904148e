import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { Container, VolumeDevice, VolumeMount } from '../../../generated/types/core-v1.ts';
import { requireText } from '../../../validation.ts';
import { localDescendingPath } from '../file-paths.ts';
import type { VolumesByName } from './validate-volumes.ts';

type Mountable = DeepReadonly<Pick<Container, 'volumeMounts' | 'volumeDevices' | 'securityContext'>>;

/** Mounts and block devices of a container: each volume and each path is used once. */
export function validateMounts(container: Mountable, volumes: VolumesByName, path: string, errors: FieldErrors): void {
  const mounts = container.volumeMounts ?? [];
  const devices = container.volumeDevices ?? [];
  const used = new Set<string>();
  for (const [i, mount] of mounts.entries()) {
    const at = `${path}.volumeMounts[${i}]`;
    requireText(errors, `${at}.name`, mount.name);
    if (!volumes.has(mount.name)) errors.notFound(`${at}.name`, mount.name ?? '');
    requireText(errors, `${at}.mountPath`, mount.mountPath);
    if (used.has(mount.mountPath)) errors.invalid(`${at}.mountPath`, mount.mountPath, 'must be unique');
    used.add(mount.mountPath);
    if (devices.some((d) => d.name === mount.name)) errors.invalid(`${at}.name`, mount.name, 'must not already exist in volumeDevices');
    if (lastByName(devices).some((d) => d.devicePath === mount.mountPath)) {
      errors.invalid(`${at}.mountPath`, mount.mountPath, 'must not already exist as a path in volumeDevices');
    }
    validateMountOptions(mount, at, `${path}.volumeMounts`, container.securityContext?.privileged ?? false, errors);
  }
  validateDevices(devices, mounts, volumes, `${path}.volumeDevices`, errors);
}

const lastByName = <T extends { readonly name: string }>(items: readonly T[]): readonly T[] => [
  ...new Map(items.map((i) => [i.name, i])).values(),
];

/** `list`: upstream reports these options on the list, not on the mount. */
function validateMountOptions(mount: DeepReadonly<VolumeMount>, at: string, list: string, privileged: boolean, errors: FieldErrors): void {
  if (mount.subPath) localDescendingPath(errors, `${list}.subPath`, mount.subPath);
  if (mount.subPathExpr) {
    if (mount.subPath) errors.invalid(`${at}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive');
    localDescendingPath(errors, `${list}.subPathExpr`, mount.subPathExpr);
  }
  const propagation = mount.mountPropagation;
  if (propagation !== undefined) {
    const supported = ['Bidirectional', 'HostToContainer', 'None'];
    if (!supported.includes(propagation)) errors.notSupported(`${list}.mountPropagation`, propagation, supported);
    if (propagation === 'Bidirectional' && !privileged) {
      errors.forbidden(`${list}.mountPropagation`, 'Bidirectional mount propagation is available only to privileged containers');
    }
  }
  const recursive = mount.recursiveReadOnly;
  if (recursive === undefined || recursive === 'Disabled') return;
  const path = `${list}.recursiveReadOnly`;
  if (recursive !== 'Enabled' && recursive !== 'IfPossible')
    return errors.notSupported(path, recursive, ['Disabled', 'Enabled', 'IfPossible']);
  if (!mount.readOnly) errors.forbidden(path, 'may only be specified when readOnly is true');
  if (propagation !== undefined && propagation !== 'None') {
    errors.forbidden(path, 'may only be specified when mountPropagation is None or not specified');
  }
}

function validateDevices(
  devices: readonly DeepReadonly<VolumeDevice>[],
  mounts: readonly DeepReadonly<VolumeMount>[],
  volumes: VolumesByName,
  path: string,
  errors: FieldErrors,
): void {
  const names = new Set<string>();
  const paths = new Set<string>();
  for (const [i, { name, devicePath }] of devices.entries()) {
    const at = `${path}[${i}]`;
    const volume = volumes.get(name);
    requireText(errors, `${at}.name`, name);
    if (names.has(name)) errors.invalid(`${at}.name`, name, 'must be unique');
    if (volume && !volume.persistentVolumeClaim && !volume.ephemeral) {
      errors.invalid(`${at}.name`, name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode');
    }
    if (volume === undefined) errors.notFound(`${at}.name`, name ?? '');
    requireText(errors, `${at}.devicePath`, devicePath);
    if (paths.has(devicePath)) errors.invalid(`${at}.devicePath`, devicePath, 'must be unique');
    if (devicePath?.split('/').includes('..')) errors.invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')");
    else paths.add(devicePath);
    if (mounts.some((m) => m.name === name)) errors.invalid(`${at}.name`, name, 'must not already exist in volumeMounts');
    if (lastByName(mounts).some((m) => m.mountPath === devicePath)) {
      errors.invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts');
    }
    if (name) names.add(name);
  }
}
