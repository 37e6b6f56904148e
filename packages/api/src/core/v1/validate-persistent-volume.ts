import { lookupTable, type DeepReadonly, type FieldErrors, nameIsDNSLabel, nameIsDNSSubdomain, quantitySign } from '@skiff/apimachinery';
import type * as core from '../../generated/types/core-v1.ts';
import { goValue } from '../../go-value.ts';
import { deepEqual, semanticEqual } from '../../semantic-equality.ts';
import { jsonDiff } from '../../unified-diff.ts';
import { dnsLabel, dnsSubdomain, immutable, invalidEach, isNotPositiveError, keyPath, requireText } from '../../validation.ts';
import { noBacksteps } from './file-paths.ts';
import { validateNodeSelector } from './pod/validate-affinity.ts';
import { nodeSelectorHasInvalidLabelValue } from './pod/validation-options.ts';
import { validateBasicResource } from './resource-requirements.ts';
import { validateAccessModes, volumeModes } from './volume-claim-validation.ts';
import * as check from './volume-source-checks.ts';

type Volume = DeepReadonly<core.PersistentVolume>;
type Spec = DeepReadonly<core.PersistentVolumeSpec>;

const specStruct = 'io.k8s.api.core.v1.PersistentVolumeSpec';

/** Fields that say what the volume is, in upstream's order. */
const sources = [
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'hostPath',
  'glusterfs',
  'nfs',
  'rbd',
  'quobyte',
  'iscsi',
  'flexVolume',
  'cinder',
  'cephfs',
  'fc',
  'flocker',
  'azureFile',
  'vsphereVolume',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'local',
  'storageos',
  'csi',
] as const;
type Source = (typeof sources)[number];

function checkSecret(ref: DeepReadonly<core.SecretReference>, path: string, errors: FieldErrors): void {
  if (requireText(errors, `${path}.name`, ref.name)) dnsSubdomain(errors, `${path}.name`, ref.name);
  if (requireText(errors, `${path}.namespace`, ref.namespace)) dnsLabel(errors, `${path}.namespace`, ref.namespace);
}

function checkCSI(csi: DeepReadonly<core.CSIPersistentVolumeSource>, path: string, errors: FieldErrors): void {
  check.checkCSIDriverName(csi.driver, `${path}.driver`, errors);
  requireText(errors, `${path}.volumeHandle`, csi.volumeHandle);
  for (const field of ['controllerPublishSecretRef', 'controllerExpandSecretRef', 'nodePublishSecretRef', 'nodeExpandSecretRef'] as const) {
    const ref = csi[field];
    if (ref) checkSecret(ref, `${path}.${field}`, errors);
  }
}

function checkGlusterfs(source: DeepReadonly<core.GlusterfsPersistentVolumeSource>, path: string, errors: FieldErrors): void {
  requireText(errors, `${path}.endpoints`, source.endpoints);
  requireText(errors, `${path}.path`, source.path);
  const namespace = source.endpointsNamespace;
  const at = `${path}.endpointsNamespace`;
  if (namespace === '') errors.invalid(at, namespace, 'if the endpointnamespace is set, it must be a valid namespace name');
  else if (namespace !== undefined) invalidEach(errors, at, namespace, nameIsDNSLabel(namespace, false));
}

/** A volume has one source; the further ones, looked at in this order, are one too many. */
function validateSource(spec: Spec, name: string, errors: FieldErrors): void {
  let found = 0;
  const one = <K extends Source>(field: K, run: (source: NonNullable<Spec[K]>, path: string) => void): void => {
    const source = spec[field];
    if (source === undefined) return;
    const path = `spec.${field}`;
    if (found > 0 && field !== 'flexVolume')
      errors.forbidden(field === 'cephfs' ? 'spec.cephFS' : path, 'may not specify more than 1 volume type');
    else run(source, path);
    found++;
  };
  const texts =
    (...fields: readonly string[]) =>
    (source: object, path: string): void => {
      for (const f of fields) requireText(errors, `${path}.${f}`, (source as Record<string, string | undefined>)[f]);
    };
  const monitors = (source: { readonly monitors?: readonly string[] }, path: string): void => {
    if ((source.monitors ?? []).length === 0) errors.required(`${path}.monitors`);
  };
  one('hostPath', (s, path) => check.checkHostPath(s, path, errors));
  one('gcePersistentDisk', (s) => check.checkDisk({ field: 'pdName', value: s.pdName }, s.partition ?? 0, 'spec.persistentDisk', errors));
  one('awsElasticBlockStore', (s, path) => check.checkDisk({ field: 'volumeID', value: s.volumeID }, s.partition ?? 0, path, errors));
  one('glusterfs', (s, path) => checkGlusterfs(s, path, errors));
  one('flocker', (s, path) => check.checkFlocker(s, path, errors));
  one('nfs', (s, path) => check.checkNFS(s, path, errors));
  one('rbd', (s, path) => {
    monitors(s, path);
    texts('image')(s, path);
  });
  one('quobyte', (s, path) => check.checkQuobyte(s, path, errors));
  one('cephfs', monitors);
  one('iscsi', (s, path) => check.checkISCSI(s, path, errors, name));
  one('cinder', (s, path) => {
    texts('volumeID')(s, path);
    check.checkSecretRef(s.secretRef, `${path}.secretRef`, errors, true);
  });
  one('fc', (s, path) => check.checkFC(s, path, errors));
  one('flexVolume', (s, path) => check.checkFlex(s, path, errors));
  one('azureFile', (s, path) => {
    texts('secretName', 'shareName')(s, path);
    if (s.secretNamespace === '') errors.required(`${path}.secretNamespace`);
  });
  one('vsphereVolume', texts('volumePath'));
  one('photonPersistentDisk', texts('pdID'));
  one('portworxVolume', texts('volumeID'));
  one('azureDisk', (s, path) => check.checkAzureDisk(s, path, errors));
  one('scaleIO', texts('gateway', 'system', 'volumeName'));
  one('local', (s, path) => {
    if (requireText(errors, `${path}.path`, s.path)) noBacksteps(errors, `${path}.path`, s.path);
    if (spec.nodeAffinity === undefined) errors.required('spec.nodeAffinity', 'Local volume requires node affinity');
  });
  one('storageos', (s, path) => check.checkStorageOS(s, path, errors, true));
  one('csi', (s, path) => checkCSI(s, path, errors));
  if (found === 0) errors.required('spec', 'must specify a volume type');
}

const isRoot = (path: string): boolean => path !== '' && path.split('/').every((part) => part === '' || part === '.');

/** Kinds of volumes whose mounts take options. */
const mountable: readonly Source[] = [
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'nfs',
  'rbd',
  'quobyte',
  'iscsi',
  'cinder',
  'cephfs',
  'azureFile',
  'vsphereVolume',
  'azureDisk',
  'photonPersistentDisk',
];
const mountOptions = 'volume.beta.kubernetes.io/mount-options';

export function validatePersistentVolume(volume: Volume, errors: FieldErrors, old?: Volume): void {
  const spec: Spec = volume.spec ?? {};
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) errors.required('spec.accessModes');
  validateAccessModes(modes, 'spec.accessModes', errors);
  validateCapacity(spec, errors);
  const policy = spec.persistentVolumeReclaimPolicy ?? '';
  const policies = ['Delete', 'Recycle', 'Retain'];
  if (policy !== '' && !policies.includes(policy)) errors.notSupported('spec.persistentVolumeReclaimPolicy', policy, policies);
  if (spec.nodeAffinity !== undefined) {
    const required = spec.nodeAffinity.required;
    const lenient = nodeSelectorHasInvalidLabelValue(old?.spec?.nodeAffinity?.required);
    if (required) validateNodeSelector(required, 'spec.nodeAffinity.required', lenient, errors);
    else errors.required('spec.nodeAffinity.required', 'must specify required node constraints');
  }
  validateSource(spec, volume.metadata?.name ?? '', errors);
  if (spec.hostPath && isRoot(spec.hostPath.path) && policy === 'Recycle') {
    errors.forbidden('spec.persistentVolumeReclaimPolicy', "may not be 'recycle' for a hostPath mount of '/'");
  }
  if (spec.storageClassName) {
    invalidEach(errors, 'spec.storageClassName', spec.storageClassName, nameIsDNSSubdomain(spec.storageClassName, false));
  }
  if (spec.volumeMode !== undefined && !volumeModes.includes(spec.volumeMode)) {
    errors.notSupported('spec.volumeMode', spec.volumeMode, volumeModes);
  }
  const attributes = spec.volumeAttributesClassName;
  if (attributes !== undefined) {
    const path = 'spec.volumeAttributesClassName';
    if (attributes === '') errors.required(path, 'an empty string is disallowed');
    else invalidEach(errors, path, attributes, nameIsDNSSubdomain(attributes, false));
    if (spec.csi === undefined) errors.required('spec.csi', 'has to be specified when using volumeAttributesClassName');
  }
  if (volume.metadata?.annotations?.[mountOptions] !== undefined && !mountable.some((kind) => spec[kind] !== undefined)) {
    errors.forbidden(`metadata.annotations.${mountOptions}`, 'may not specify mount options for this volume type');
  }
}

function validateCapacity(spec: Spec, errors: FieldErrors): void {
  const path = 'spec.capacity';
  const capacity = spec.capacity ?? {};
  const names = Object.keys(capacity);
  if (names.length === 0) errors.required(path);
  if (capacity['storage'] === undefined || names.length > 1) errors.notSupported(path, spec.capacity ?? null, ['storage']);
  for (const [name, quantity] of Object.entries(capacity)) {
    validateBasicResource(quantity, keyPath(path, name), errors);
    if (quantitySign(quantity) <= 0) errors.invalid(keyPath(path, name), quantity, isNotPositiveError);
  }
}

const sourcesOf = (spec: Spec): Spec => Object.fromEntries(sources.map((field) => [field, spec[field]])) as Spec;

/** The source as upstream's struct has it, for a diff. */
function shownSource(spec: Spec): unknown {
  const all = goValue(specStruct, spec) as Record<string, unknown>;
  const byName = new Map(Object.entries(all).map(([name, value]) => [name.toLowerCase(), [name, value] as const]));
  return Object.fromEntries(sources.map((field) => byName.get(field.toLowerCase()) ?? [field, null]));
}

export function validatePersistentVolumeUpdate(volume: Volume, old: Volume, errors: FieldErrors): void {
  validatePersistentVolume(volume, errors, old);
  const before: Spec = old.spec ?? {};
  const written: Spec = volume.spec ?? {};
  const secretAdded = before.csi && !before.csi.controllerExpandSecretRef && written.csi?.controllerExpandSecretRef;
  const spec: Spec = secretAdded ? { ...written, csi: { ...written.csi, controllerExpandSecretRef: undefined } as never } : written;
  if (!semanticEqual(specStruct, sourcesOf(spec), sourcesOf(before))) {
    const diff = jsonDiff(shownSource(before), shownSource(spec));
    errors.forbidden('spec.persistentvolumesource', `spec.persistentvolumesource is immutable after creation\n${diff}`);
  }
  immutable(errors, 'volumeMode', spec.volumeMode, before.volumeMode);
  if (before.nodeAffinity !== undefined && !deepEqual(withGALabels(spec.nodeAffinity), withGALabels(before.nodeAffinity))) {
    const shown = spec.nodeAffinity === undefined ? null : goValue('io.k8s.api.core.v1.VolumeNodeAffinity', spec.nodeAffinity);
    errors.invalid('nodeAffinity', shown, 'field is immutable, except for updating from beta label to GA');
  }
  if (before.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined) {
    errors.forbidden('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden');
  }
}

const gaLabels = lookupTable<string>({
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
});

/** For comparison: old names of well-known labels replaced. */
const withGALabels = (affinity: unknown): unknown =>
  JSON.parse(JSON.stringify(affinity ?? null), (key, value: unknown) =>
    key === 'key' && typeof value === 'string' ? (gaLabels[value] ?? value) : value,
  );
