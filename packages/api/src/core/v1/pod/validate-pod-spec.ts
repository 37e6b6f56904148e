import {
  compareQuantities,
  type DeepReadonly,
  type FieldErrors,
  inclusiveRangeError,
  isDNS1123SubdomainWithUnderscore,
  nameIsDNSSubdomain,
  validateLabels,
  validateLegacyIP,
} from '@skiff/apimachinery';
import type { PodResourceClaim, PodSpec } from '../../../generated/types/core-v1.ts';
import { goValue } from '../../../go-value.ts';
import { dnsLabel, dnsSubdomain, invalidEach, keyPath, qualifiedName, requireOneOf } from '../../../validation.ts';
import { isHugePages } from '../resource-names.ts';
import { validateResourceRequirements } from '../resource-requirements.ts';
import { containersWithPaths } from './containers.ts';
import { aggregateContainerResources } from './pod-resources.ts';
import { validateAffinity } from './validate-affinity.ts';
import { validateContainers, validateEphemeralContainers, validateInitContainers } from './validate-containers.ts';
import { validateSchedulingGates, validateTolerations, validateTopologySpread } from './validate-scheduling.ts';
import { validatePodSecurityContext } from './validate-security-context.ts';
import { validateHostProcess, validateOS } from './validate-windows.ts';
import { validateVolumes } from './validate-volumes.ts';
import type { PodValidationOptions } from './validation-options.ts';

type Spec = DeepReadonly<PodSpec>;

/** A PodSpec in a Pod or in a template. Order of the checks is order of the messages. */
export function validatePodSpec(spec: Spec, path: string, errors: FieldErrors, options: PodValidationOptions): void {
  if (spec.terminationGracePeriodSeconds === undefined) errors.required(`${path}.terminationGracePeriodSeconds`);
  const volumes = validateVolumes(spec.volumes ?? [], `${path}.volumes`, errors, options);
  const claims = spec.resourceClaims ?? [];
  const claimNames = new Set(claims.map((c) => c.name).filter((name) => name !== ''));
  const scope = { spec, volumes, claimNames, hostUsers: spec.hostUsers ?? true };
  validateResourceClaims(claims, `${path}.resourceClaims`, errors, options);
  validateContainers(spec.containers ?? [], `${path}.containers`, errors, scope);
  validateInitContainers(spec.initContainers ?? [], `${path}.initContainers`, errors, scope);
  validateEphemeralContainers(spec.ephemeralContainers ?? [], `${path}.ephemeralContainers`, errors, scope);
  validatePodResources(spec, `${path}.resources`, errors, claimNames);
  validateHostNetworkPorts(spec, path, errors, options);
  requireOneOf(errors, `${path}.restartPolicy`, spec.restartPolicy, ['Always', 'OnFailure', 'Never']);
  requireOneOf(errors, `${path}.dnsPolicy`, spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']);
  validateLabels(spec.nodeSelector, `${path}.nodeSelector`, errors);
  validatePodSecurityContext(spec, `${path}.securityContext`, errors);
  if (spec.affinity) validateAffinity(spec.affinity, `${path}.affinity`, errors, options);
  validateDNSConfig(spec, `${path}.dnsConfig`, errors);
  for (const [i, gate] of (spec.readinessGates ?? []).entries()) {
    qualifiedName(errors, `${path}.readinessGates[${i}].conditionType`, gate.conditionType ?? '');
  }
  validateSchedulingGates(spec.schedulingGates ?? [], `${path}.schedulingGates`, errors);
  validateTopologySpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`, errors, options);
  validateHostProcess(spec, path, errors);
  validateHostUsers(spec, path, errors);
  validateHostnameOverride(spec, path, errors);
  validateNames(spec, path, errors);
  if (spec.preemptionPolicy !== undefined) {
    requireOneOf(errors, `${path}.preemptionPolicy`, spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']);
  }
  if (spec.overhead) {
    validateResourceRequirements({ limits: spec.overhead }, `${path}.overhead`, errors, { of: 'container', claimNames: new Set() });
  }
  validateOS(spec, path, errors);
  validateFileKeyVolumes(spec, path, errors);
}

function validateNames(spec: Spec, path: string, errors: FieldErrors): void {
  const name = (field: 'serviceAccountName' | 'nodeName' | 'priorityClassName'): void => {
    const value = spec[field];
    if (value) invalidEach(errors, `${path}.${field}`, value, nameIsDNSSubdomain(value, false));
  };
  name('serviceAccountName');
  name('nodeName');
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > 2147483647)) {
    errors.invalid(`${path}.activeDeadlineSeconds`, deadline, inclusiveRangeError(1, 2147483647));
  }
  if (spec.hostname) dnsLabel(errors, `${path}.hostname`, spec.hostname);
  if (spec.subdomain) dnsLabel(errors, `${path}.subdomain`, spec.subdomain);
  validateTolerations(spec.tolerations ?? [], `${path}.tolerations`, errors);
  for (const [i, alias] of (spec.hostAliases ?? []).entries()) {
    validateLegacyIP(alias.ip ?? '', `${path}.hostAliases[${i}].ip`, errors);
    for (const [j, host] of (alias.hostnames ?? []).entries()) dnsSubdomain(errors, `${path}.hostAliases[${i}].hostnames[${j}]`, host);
  }
  name('priorityClassName');
  if (spec.runtimeClassName !== undefined) {
    invalidEach(errors, `${path}.runtimeClassName`, spec.runtimeClassName, nameIsDNSSubdomain(spec.runtimeClassName, false));
  }
}

function validateResourceClaims(
  claims: readonly DeepReadonly<PodResourceClaim>[],
  path: string,
  errors: FieldErrors,
  options: PodValidationOptions,
): void {
  const seen = new Set<string>();
  for (const [i, claim] of claims.entries()) {
    if (options.meta?.annotations?.['kubernetes.io/config.mirror'] !== undefined) {
      errors.forbidden('', 'static pods do not support resource claims');
      continue;
    }
    const at = `${path}[${i}]`;
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    if (name === '') errors.required(`${at}.name`);
    else if (seen.has(name)) errors.duplicate(`${at}.name`, name);
    else dnsLabel(errors, `${at}.name`, name);
    seen.add(name);
    const shown = goValue('io.k8s.api.core.v1.PodResourceClaim', claim);
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      errors.invalid(at, shown, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified');
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      errors.invalid(at, shown, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`');
    }
    for (const [field, value] of Object.entries({ resourceClaimName, resourceClaimTemplateName })) {
      if (value !== undefined) invalidEach(errors, `${at}.${field}`, value, nameIsDNSSubdomain(value, false));
    }
  }
}

/** KEP-2837: the Pod's own resources hold for all its containers together. */
function validatePodResources(spec: Spec, path: string, errors: FieldErrors, claimNames: ReadonlySet<string>): void {
  const own = spec.resources;
  if (own === undefined) return;
  if (spec.os?.name === 'windows') return errors.forbidden(path, 'may not be set for a windows pod');
  if (own.claims !== undefined) errors.forbidden(`${path}.claims`, 'claims may not be set for Resources at pod-level');
  validateResourceRequirements(own, path, errors, { of: 'pod', claimNames });
  for (const [name, total] of Object.entries(aggregateContainerResources(spec, 'requests'))) {
    const request = own.requests?.[name];
    if (request !== undefined && compareQuantities(total, request) > 0) {
      const detail = `must be greater than or equal to aggregate container requests of ${total}`;
      errors.invalid(keyPath(`${path}.requests`, name), request, detail);
    }
  }
  for (const [name, total] of Object.entries(aggregateContainerResources(spec, 'limits'))) {
    const limit = own.limits?.[name];
    if (isHugePages(name) && limit !== undefined && compareQuantities(total, limit) > 0) {
      errors.invalid(keyPath(`${path}.limits`, name), limit, `must be greater than or equal to aggregate container limits of ${total}`);
    }
  }
  for (const [i, container] of (spec.containers ?? []).entries()) {
    for (const [name, limit] of Object.entries(container.resources?.limits ?? {})) {
      const ofPod = own.limits?.[name];
      if (ofPod !== undefined && compareQuantities(limit, ofPod) > 0) {
        errors.invalid(`${path}.containers[${i}][${name}].limits`, limit, `must be less than or equal to pod limits of ${ofPod}`);
      }
    }
  }
}

function validateHostNetworkPorts(spec: Spec, path: string, errors: FieldErrors, options: PodValidationOptions): void {
  if (!spec.hostNetwork) return;
  for (const [i, container] of (spec.containers ?? []).entries()) {
    for (const [j, port] of (container.ports ?? []).entries()) {
      const hostPort = port.hostPort ?? 0;
      if ((options.isPod || hostPort !== 0) && hostPort !== (port.containerPort ?? 0)) {
        const at = `${path}.containers[${i}].ports[${j}].hostPort`;
        errors.invalid(at, hostPort, 'must match `containerPort` when `hostNetwork` is true');
      }
    }
  }
}

function validateDNSConfig(spec: Spec, path: string, errors: FieldErrors): void {
  const config = spec.dnsConfig;
  const nameservers = config?.nameservers ?? [];
  if (spec.dnsPolicy === 'None') {
    if (config === undefined) return errors.required(path, 'must provide `dnsConfig` when `dnsPolicy` is None');
    if (nameservers.length === 0) {
      return errors.required(`${path}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None');
    }
  }
  if (nameservers.length > 3) errors.invalid(`${path}.nameservers`, nameservers, 'must not have more than 3 nameservers');
  for (const [i, nameserver] of nameservers.entries()) validateLegacyIP(nameserver, `${path}.nameservers[${i}]`, errors);
  const searches = config?.searches ?? [];
  if (searches.length > 32) errors.invalid(`${path}.searches`, searches, 'must not have more than 32 search paths');
  if (searches.join(' ').length > 2048) {
    errors.invalid(`${path}.searches`, searches, 'must not have more than 2048 characters (including spaces) in the search list');
  }
  for (const [i, search] of searches.entries()) {
    if (search === '.') continue;
    const name = search.replace(/\.$/, '');
    invalidEach(errors, `${path}.searches[${i}]`, name, isDNS1123SubdomainWithUnderscore(name));
  }
  for (const [i, option] of (config?.options ?? []).entries()) {
    if (!option.name) errors.required(`${path}.options[${i}]`, 'must not be empty');
  }
}

/** KEP-127: with a user namespace of its own a Pod can't share the host's others. */
function validateHostUsers(spec: Spec, path: string, errors: FieldErrors): void {
  if (spec.hostUsers ?? true) return;
  const detail = 'when `hostUsers` is false';
  if (spec.hostNetwork) errors.forbidden(`${path}.hostNetwork`, detail);
  if (spec.hostPID) errors.forbidden(`${path}.HostPID`, detail);
  if (spec.hostIPC) errors.forbidden(`${path}.HostIPC`, detail);
  for (const { container, path: at } of containersWithPaths(spec, path)) {
    if ((container.volumeDevices ?? []).length > 0) errors.forbidden(`${at}.volumeDevices`, detail);
  }
}

function validateHostnameOverride(spec: Spec, path: string, errors: FieldErrors): void {
  const hostname = spec.hostnameOverride;
  if (hostname === undefined) return;
  const at = `${path}.hostnameOverride`;
  if (spec.setHostnameAsFQDN) errors.forbidden(at, 'may not be specified when setHostnameAsFQDN is true');
  if (spec.hostNetwork) errors.forbidden(at, 'may not be specified when hostNetwork is true');
  if (Buffer.byteLength(hostname) > 64) errors.tooLong(at, 64);
  dnsSubdomain(errors, at, hostname);
}

/** Environment files live in emptyDirs (KEP-3721). */
function validateFileKeyVolumes(spec: Spec, path: string, errors: FieldErrors): void {
  const volumes = new Map((spec.volumes ?? []).map((v) => [v.name, v]));
  for (const { container, path: at } of containersWithPaths(spec, path)) {
    for (const [i, variable] of (container.env ?? []).entries()) {
      const ref = variable.valueFrom?.fileKeyRef;
      if (ref === undefined) continue;
      const field = `${at}.env[${i}].valueFrom.fileKeyRef.volumeName`;
      const volume = volumes.get(ref.volumeName);
      if (volume === undefined) errors.notFound(field, ref.volumeName ?? '');
      else if (volume.emptyDir === undefined) errors.invalid(field, ref.volumeName, 'referenced volume must be of type emptyDir');
    }
  }
}
