import {
  type DeepReadonly,
  FieldErrors,
  isConfigMapKey,
  isValidLabelValue,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  parseCIDR,
  validateLabelName,
  validateLegacyCIDR,
  warningsForCIDR,
} from '@skiff/apimachinery';
import type { ConfigMapNodeConfigSource, Node, NodeConfigSource, NodeSpec, Taint } from '../../generated/types/core-v1.ts';
import { goValue } from '../../go-value.ts';
import { deepEqual } from '../../semantic-equality.ts';
import { invalidEach, positive, requireText } from '../../validation.ts';
import { validateTaintEffect } from './pod/validate-scheduling.ts';
import type { ResourceList } from './resource-list.ts';
import { validateQuantityOf } from './resource-requirements.ts';

export function validateNode(node: DeepReadonly<Node>, errors: FieldErrors): void {
  validateTaints(node.spec?.taints ?? [], 'metadata.taints', errors);
  validateResources(node, errors);
  const swap = node.status?.nodeInfo?.swap?.capacity;
  if (swap !== undefined) positive(errors, 'metadata.nodeSwapStatus.capacity', swap);
  validateDeclaredFeatures(node.status?.declaredFeatures ?? [], errors);
  validatePodCIDRs(node.spec?.podCIDRs ?? [], errors);
}

export function validateNodeUpdate(node: DeepReadonly<Node>, old: DeepReadonly<Node>, errors: FieldErrors): void {
  const [spec, before]: DeepReadonly<NodeSpec>[] = [node.spec ?? {}, old.spec ?? {}];
  validateResources(node, errors);
  validateDeclaredFeatures(node.status?.declaredFeatures ?? [], errors);
  const addresses = node.status?.addresses ?? [];
  for (const [i, address] of addresses.entries()) {
    if (addresses.findIndex((a) => a.type === address.type && a.address === address.address) < i) {
      errors.duplicate(`status.addresses[${i}]`, goValue('io.k8s.api.core.v1.NodeAddress', address));
    }
  }
  if ((before?.podCIDRs ?? []).length > 0 && !deepEqual(before?.podCIDRs, spec?.podCIDRs ?? [])) {
    errors.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid');
  }
  if (before?.providerID && before.providerID !== spec?.providerID) {
    errors.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid');
  }
  if (spec?.configSource) validateConfigSource(spec.configSource, 'spec.configSource', 'spec', errors);
  for (const which of ['assigned', 'active', 'lastKnownGood'] as const) {
    const source = node.status?.config?.[which];
    if (source) validateConfigSource(source, `status.config.${which}`, 'status', errors);
  }
  validateTaints(spec?.taints ?? [], 'metadata.taints', errors);
  if ((spec?.externalID ?? '') !== (before?.externalID ?? '')) errors.forbidden('spec.externalID', 'may not be updated');
}

function validateTaints(taints: readonly DeepReadonly<Taint>[], path: string, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [i, taint] of taints.entries()) {
    const at = `${path}[${i}]`;
    validateLabelName(taint.key, `${at}.key`, errors);
    const complaints = isValidLabelValue(taint.value ?? '');
    if (complaints.length > 0) errors.invalid(`${at}.value`, taint.value, complaints.join(';'));
    if (taint.effect === '') errors.required(`${at}.effect`);
    else validateTaintEffect(taint.effect, `${at}.effect`, errors);
    const id = `${taint.effect}/${taint.key}`;
    if (seen.has(id)) {
      const shown = JSON.stringify(goValue('io.k8s.api.core.v1.Taint', taint));
      errors.add('FieldValueDuplicate', at, `Duplicate value: ${shown}: taints must be unique by key and effect pair`);
    }
    seen.add(id);
  }
}

function validateResources(node: DeepReadonly<Node>, errors: FieldErrors): void {
  const check = (list: DeepReadonly<ResourceList> | undefined, path: string): void => {
    for (const [name, quantity] of Object.entries(list ?? {})) validateQuantityOf(name, quantity, `${path}.${name}`, errors);
  };
  check(node.status?.capacity, 'status.capacity');
  check(node.status?.allocatable, 'status.allocatable');
}

const maxFeatureLength = 253;
const featureFormat = /^[A-Z][A-Za-z0-9]*(\/[A-Za-z0-9]+)*$/;

function featureComplaint(feature: string): string | undefined {
  const start = `invalid feature name ${JSON.stringify(feature)}: must`;
  if (feature.length > maxFeatureLength) return `${start} be no more than ${maxFeatureLength} characters`;
  if (featureFormat.test(feature)) return undefined;
  return `${start} start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes`;
}

function validateDeclaredFeatures(features: readonly string[], errors: FieldErrors): void {
  for (const [i, feature] of features.entries()) {
    const complaint = featureComplaint(feature);
    if (complaint !== undefined) errors.invalid(`status.declaredFeatures[${i}]`, feature, complaint);
    const next = features[i + 1];
    if (next === undefined) continue;
    if (next === feature) errors.duplicate(`status.declaredFeatures[${i + 1}]`, next);
    else if (next < feature) errors.invalid(`status.declaredFeatures[${i + 1}]`, next, 'list must be sorted alphabetically');
  }
}

function validatePodCIDRs(cidrs: readonly string[], errors: FieldErrors): void {
  const path = 'spec.podCIDRs';
  for (const [i, cidr] of cidrs.entries()) validateLegacyCIDR(cidr, `${path}[${i}]`, errors);
  if (cidrs.length < 2) return;
  const parsed = cidrs.map(parseCIDR);
  const broken = parsed.indexOf(undefined);
  if (broken >= 0) {
    const why = `invalid CIDR[${broken}]: <nil> (invalid CIDR address: ${cidrs[broken]})`;
    errors.internal(path, `invalid PodCIDRs. failed to check with dual stack with error:${why}`);
  }
  const families = new Set(parsed.map((c) => c?.ip.family));
  if (broken >= 0 || families.size < 2 || cidrs.length > 2) {
    errors.invalid(path, cidrs, 'may specify no more than one CIDR for each IP family');
  }
}

/** The feature is gone; what stored objects still have of it is kept well-formed. */
function validateConfigSource(source: DeepReadonly<NodeConfigSource>, path: string, where: 'spec' | 'status', errors: FieldErrors): void {
  const { configMap } = source;
  if (configMap === undefined) {
    return errors.invalid(path, goValue('io.k8s.api.core.v1.NodeConfigSource', source), 'exactly one reference subfield must be non-nil');
  }
  const at = `${path}.configMap`;
  for (const field of ['uid', 'resourceVersion'] as const) {
    if (where === 'status') requireText(errors, `${at}.${field}`, configMap[field]);
    else if (configMap[field]) errors.forbidden(`${at}.${field}`, `${field} must not be set in spec`);
  }
  const required = (field: keyof ConfigMapNodeConfigSource, check: (text: string, prefix: boolean) => readonly string[]): void => {
    const text = configMap[field];
    if (requireText(errors, `${at}.${field}`, text)) invalidEach(errors, `${at}.${field}`, text, check(text, false));
  };
  required('namespace', nameIsDNSLabel);
  required('name', nameIsDNSSubdomain);
  required('kubeletConfigKey', isConfigMapKey);
}

export function nodeWarnings(node: DeepReadonly<Node>): string[] {
  return [
    ...(node.spec?.configSource ? ['spec.configSource: the feature is removed'] : []),
    ...(node.spec?.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []),
    ...(node.spec?.podCIDRs ?? []).flatMap((cidr, i) => warningsForCIDR(cidr, `spec.podCIDRs[${i}]`)),
  ];
}
