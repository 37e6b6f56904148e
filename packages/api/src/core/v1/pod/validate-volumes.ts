import { type DeepReadonly, type FieldErrors, nameIsDNSSubdomain, quantitySign } from '@skiff/apimachinery';
import type { DownwardAPIVolumeFile, EphemeralVolumeSource, ImageVolumeSource, Volume } from '../../../generated/types/core-v1.ts';
import { dnsLabel, passes, requireOneOf, requireText } from '../../../validation.ts';
import { fileMode, localNonReservedPath } from '../file-paths.ts';
import { validateClaimTemplate } from '../volume-claim-validation.ts';
import * as check from '../volume-source-checks.ts';
import { validateFieldRef, validateResourceFieldRef, volumeFieldPaths } from './validate-field-refs.ts';
import { validateProjected } from './validate-projected.ts';
import type { PodValidationOptions } from './validation-options.ts';

/** Volumes by name, of those that are valid: what mounts and devices may refer to. */
export type VolumesByName = ReadonlyMap<string, DeepReadonly<Volume>>;

export function validateVolumes(
  volumes: readonly DeepReadonly<Volume>[],
  path: string,
  errors: FieldErrors,
  options: PodValidationOptions,
): VolumesByName {
  const podName = options.meta?.name;
  const ephemeralClaims = new Set(podName ? volumes.filter((v) => v.ephemeral).map((v) => `${podName}-${v.name}`) : []);
  const valid = new Map<string, DeepReadonly<Volume>>();
  for (const [i, volume] of volumes.entries()) {
    const at = `${path}[${i}]`;
    const name = volume.name ?? '';
    const good = passes(errors, () => {
      validateSource(volume, at, errors, options);
      if (requireText(errors, `${at}.name`, name)) dnsLabel(errors, `${at}.name`, name);
      if (valid.has(name)) errors.duplicate(`${at}.name`, name);
    });
    if (good) valid.set(name, volume);
    const claim = volume.persistentVolumeClaim;
    if (claim && ephemeralClaims.has(claim.claimName)) {
      errors.invalid(
        `${at}.persistentVolumeClaim.claimName`,
        claim.claimName,
        'must not reference a PVC that gets created for an ephemeral volume',
      );
    }
  }
  return valid;
}

type Check = (path: string) => void;
interface Source {
  readonly check: Check;
  /** Where the complaint about a second source goes, if not to the field's own name (upstream has two odd ones). */
  readonly field?: string;
}

const required =
  (errors: FieldErrors, source: Readonly<Record<string, unknown>>, ...fields: readonly string[]): Check =>
  (path) => {
    for (const field of fields) {
      const value = source[field];
      if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) errors.required(`${path}.${field}`);
    }
  };

/** Checks of the sources that a volume has, in the order in which upstream looks for them: the first one is the volume's type. */
function sourceChecks(v: DeepReadonly<Volume>, errors: FieldErrors, options: PodValidationOptions): [name: string, source: Source][] {
  const found: [string, Source][] = [];
  const add = <T>(name: string, source: T | undefined, make: (source: T) => Check, field?: string): void => {
    if (source !== undefined) found.push([name, { check: make(source), ...(field === undefined ? {} : { field }) }]);
  };
  const plain =
    (...fields: string[]) =>
    (source: object) =>
      required(errors, source as Record<string, unknown>, ...fields);
  add('emptyDir', v.emptyDir, (s) => (path) => {
    if (s.sizeLimit !== undefined && quantitySign(s.sizeLimit) < 0) {
      errors.forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity');
    }
  });
  add('hostPath', v.hostPath, (s) => (path) => check.checkHostPath(s, path, errors));
  add('gitRepo', v.gitRepo, (s) => (path) => check.checkGitRepo(s, path, errors));
  add('gcePersistentDisk', v.gcePersistentDisk, (s) => (path) => {
    check.checkDisk({ field: 'pdName', value: s.pdName }, s.partition ?? 0, path.replace(/gcePersistentDisk$/, 'persistentDisk'), errors);
  });
  add('awsElasticBlockStore', v.awsElasticBlockStore, (s) => (path) => {
    check.checkDisk({ field: 'volumeID', value: s.volumeID }, s.partition ?? 0, path, errors);
  });
  add('secret', v.secret, (s) => (path) => check.checkKeyedFiles(s, { field: 'secretName', value: s.secretName }, path, errors));
  add('nfs', v.nfs, (s) => (path) => check.checkNFS(s, path, errors));
  add('iscsi', v.iscsi, (s) => (path) => check.checkISCSI(s, path, errors));
  add('glusterfs', v.glusterfs, plain('endpoints', 'path'));
  add('flocker', v.flocker, (s) => (path) => check.checkFlocker(s, path, errors));
  add('persistentVolumeClaim', v.persistentVolumeClaim, plain('claimName'));
  add('rbd', v.rbd, plain('monitors', 'image'));
  add('cinder', v.cinder, (s) => (path) => {
    plain('volumeID')(s)(path);
    check.checkSecretRef(s.secretRef, `${path}.secretRef`, errors, false);
  });
  add('cephfs', v.cephfs, plain('monitors'), 'cephFS');
  add('quobyte', v.quobyte, (s) => (path) => check.checkQuobyte(s, path, errors));
  add(
    'downwardAPI',
    v.downwardAPI,
    (s) => (path) => {
      fileMode(errors, `${path}.defaultMode`, s.defaultMode);
      for (const file of s.items ?? []) validateDownwardFile(file, path, errors);
    },
    'downwarAPI',
  );
  add('fc', v.fc, (s) => (path) => check.checkFC(s, path, errors));
  add('flexVolume', v.flexVolume, (s) => (path) => check.checkFlex(s, path, errors));
  add('configMap', v.configMap, (s) => (path) => check.checkKeyedFiles(s, { field: 'name', value: s.name }, path, errors));
  add('azureFile', v.azureFile, plain('secretName', 'shareName'));
  add('vsphereVolume', v.vsphereVolume, plain('volumePath'));
  add('photonPersistentDisk', v.photonPersistentDisk, plain('pdID'));
  add('portworxVolume', v.portworxVolume, plain('volumeID'));
  add('azureDisk', v.azureDisk, (s) => (path) => check.checkAzureDisk(s, path, errors));
  add('storageos', v.storageos, (s) => (path) => check.checkStorageOS(s, path, errors));
  add('projected', v.projected, (s) => (path) => validateProjected(s, path, errors, options));
  add('scaleIO', v.scaleIO, plain('gateway', 'system', 'volumeName'));
  add('csi', v.csi, (s) => (path) => check.checkCSI(s, path, errors));
  add('ephemeral', v.ephemeral, (s) => (path) => validateEphemeral(s, v.name, path, errors, options));
  add('image', v.image, (s) => (path) => validateImage(s, path, errors, options));
  return found;
}

function validateSource(volume: DeepReadonly<Volume>, path: string, errors: FieldErrors, options: PodValidationOptions): void {
  const sources = sourceChecks(volume, errors, options);
  for (const [i, [name, source]] of sources.entries()) {
    if (i > 0) errors.forbidden(`${path}.${source.field ?? name}`, 'may not specify more than 1 volume type');
    else source.check(`${path}.${name}`);
    if (name === 'iscsi' && volume.iscsi?.initiatorName !== undefined && `${volume.name}:${volume.iscsi.targetPortal}`.length > 64) {
      errors.invalid(
        `${path}.name`,
        volume.name,
        'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
      );
    }
  }
  if (sources.length === 0) errors.required(path, 'must specify a volume type');
}

export function validateDownwardFile(file: DeepReadonly<DownwardAPIVolumeFile>, path: string, errors: FieldErrors): void {
  requireText(errors, `${path}.path`, file.path);
  localNonReservedPath(errors, `${path}.path`, file.path ?? '');
  if (file.fieldRef) {
    validateFieldRef(file.fieldRef, volumeFieldPaths, `${path}.fieldRef`, errors);
    if (file.resourceFieldRef) errors.invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously');
  } else if (file.resourceFieldRef) validateResourceFieldRef(file.resourceFieldRef, 'volume', `${path}.resourceFieldRef`, errors);
  else errors.required(path, 'one of fieldRef and resourceFieldRef is required');
  fileMode(errors, `${path}.mode`, file.mode);
}

function validateEphemeral(
  source: DeepReadonly<EphemeralVolumeSource>,
  volumeName: string,
  path: string,
  errors: FieldErrors,
  options: PodValidationOptions,
): void {
  if (source.volumeClaimTemplate === undefined) errors.required(`${path}.volumeClaimTemplate`);
  else validateClaimTemplate(source.volumeClaimTemplate, `${path}.volumeClaimTemplate`, errors);
  if (!options.meta?.name || !volumeName) return;
  const claim = `${options.meta.name}-${volumeName}`;
  for (const complaint of nameIsDNSSubdomain(claim, false)) {
    errors.invalid(path.replace(/ephemeral$/, 'name'), volumeName, `PVC name "${claim}": ${complaint}`);
  }
}

function validateImage(source: DeepReadonly<ImageVolumeSource>, path: string, errors: FieldErrors, options: PodValidationOptions): void {
  if (options.isPod) requireText(errors, `${path}.reference`, source.reference);
  requireOneOf(errors, `${path}.pullPolicy`, source.pullPolicy, ['Always', 'IfNotPresent', 'Never']);
}
