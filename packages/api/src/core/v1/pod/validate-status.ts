import {
  type DeepReadonly,
  type FieldErrors,
  fieldImmutableError,
  nameIsDNSSubdomain,
  parseIP,
  validateLegacyIP,
} from '@skiff/apimachinery';
import type { Container, ContainerStatus, Pod, PodSpec } from '../../../generated/types/core-v1.ts';
import { goValue } from '../../../go-value.ts';
import { invalidEach, qualifiedName } from '../../../validation.ts';
import { validateAnnotationUpdates } from './validate-annotations.ts';

export function validatePodStatusUpdate(pod: DeepReadonly<Pod>, old: DeepReadonly<Pod>, errors: FieldErrors): void {
  validateAnnotationUpdates(pod, old, errors);
  const status = pod.status ?? {};
  const before = old.status ?? {};
  validateConditions(pod, errors);
  const nominated = status.nominatedNodeName ?? '';
  if (nominated !== '' && nominated !== before.nominatedNodeName) {
    invalidEach(errors, 'status.nominatedNodeName', nominated, nameIsDNSSubdomain(nominated, false));
    if (old.spec?.nodeName) errors.forbidden('status.nominatedNodeName', 'may not be set on pods that are already bound to a node');
  }
  if ((status.observedGeneration ?? 0) < 0) {
    errors.invalid('status.observedGeneration', status.observedGeneration, 'must be a non-negative integer');
  }
  if ((status.qosClass ?? '') !== (before.qosClass ?? '')) errors.invalid('status.qosClass', status.qosClass ?? '', fieldImmutableError);
  const spec = old.spec ?? { containers: [] };
  const transition = (field: 'containerStatuses' | 'initContainerStatuses' | 'ephemeralContainerStatuses', containers?: Containers): void =>
    validateTransitions(status[field] ?? [], before[field] ?? [], { path: `status.${field}`, containers, spec }, errors);
  transition('containerStatuses', spec.containers);
  transition('initContainerStatuses', spec.initContainers ?? []);
  transition('ephemeralContainerStatuses');
  validateClaimStatuses(pod, errors);
  validateIPs(status.podIPs ?? [], before.podIPs ?? [], 'podIPs', errors);
  const hostIPs = status.hostIPs ?? [];
  if (hostIPs.length > 0 && (status.hostIP ?? '') !== hostIPs[0]?.ip) {
    errors.invalid('status.hostIPs[0].ip', hostIPs[0]?.ip ?? '', 'must be equal to `hostIP`');
  }
  validateIPs(hostIPs, before.hostIPs ?? [], 'hostIPs', errors);
}

function validateConditions(pod: DeepReadonly<Pod>, errors: FieldErrors): void {
  for (const [i, condition] of (pod.status?.conditions ?? []).entries()) {
    const at = `status.conditions[${i}]`;
    if ((condition.observedGeneration ?? 0) < 0) {
      errors.invalid(`${at}.observedGeneration`, condition.observedGeneration, 'must be a non-negative integer');
    }
    if (!['PodScheduled', 'Ready', 'Initialized'].includes(condition.type)) qualifiedName(errors, `${at}.Type`, condition.type ?? '');
  }
}

type Containers = readonly DeepReadonly<Container>[];

interface Transition {
  readonly path: string;
  /** Absent for ephemeral containers, which never start again. */
  readonly containers?: Containers | undefined;
  readonly spec: DeepReadonly<PodSpec>;
}

/** What has ended stays ended, unless the restart policies allow another run. */
function validateTransitions(
  statuses: readonly DeepReadonly<ContainerStatus>[],
  before: readonly DeepReadonly<ContainerStatus>[],
  { path, containers, spec }: Transition,
  errors: FieldErrors,
): void {
  if (containers !== undefined && allContainersCouldRestart(spec)) return;
  for (const [i, old] of before.entries()) {
    const terminated = old.state?.terminated;
    if (terminated === undefined) continue;
    const status = statuses.find((s) => s.name === old.name);
    if (status === undefined || status.state?.terminated !== undefined) continue;
    const container = containers?.find((c) => c.name === old.name);
    if (container === undefined || !shouldRestart(container, spec, terminated.exitCode)) {
      errors.forbidden(`${path}[${i}].state`, 'may not be transitioned to non-terminated state');
    }
  }
}

const allContainersCouldRestart = (spec: DeepReadonly<PodSpec>): boolean =>
  [...(spec.initContainers ?? []), ...(spec.containers ?? [])].some((c) =>
    (c.restartPolicyRules ?? []).some((r) => r.action === 'RestartAllContainers'),
  );

/** KEP-5307: the first rule that matches the exit code, else the container's policy, else the Pod's. */
function shouldRestart(container: DeepReadonly<Container>, spec: DeepReadonly<PodSpec>, exitCode: number): boolean {
  for (const { action, exitCodes } of container.restartPolicyRules ?? []) {
    const listed = (exitCodes?.values ?? []).includes(exitCode);
    if (exitCodes && (exitCodes.operator === 'In' ? listed : !listed)) return action === 'Restart';
  }
  const policy = container.restartPolicy ?? spec.restartPolicy;
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

function validateClaimStatuses(pod: DeepReadonly<Pod>, errors: FieldErrors): void {
  const claims = new Set((pod.spec?.resourceClaims ?? []).map((c) => c.name));
  const seen = new Set<string>();
  for (const [i, { name, resourceClaimName }] of (pod.status?.resourceClaimStatuses ?? []).entries()) {
    const at = `status.resourceClaimStatuses[${i}]`;
    if (!claims.has(name)) errors.invalid(`${at}.name`, name, 'must match the name of an entry in `spec.resourceClaims`');
    if (seen.has(name)) errors.duplicate(`${at}.name`, name);
    seen.add(name);
    if (resourceClaimName !== undefined) {
      invalidEach(errors, `${at}.resourceClaimName`, resourceClaimName, nameIsDNSSubdomain(resourceClaimName, false));
    }
  }
}

interface IP {
  readonly ip: string;
}

function validateIPs(ips: readonly IP[], before: readonly IP[], field: 'podIPs' | 'hostIPs', errors: FieldErrors): void {
  const stored = before.map((i) => i.ip);
  for (const [i, { ip }] of ips.entries()) validateLegacyIP(ip ?? '', `status.${field}[${i}]`, errors, stored);
  if (ips.length < 2) return;
  const families = ips.map(({ ip }) => parseIP(ip)?.family);
  const bad = families.indexOf(undefined);
  if (bad >= 0) errors.internal(`status.${field}`, `failed to check for dual stack with error:invalid IP[${bad}]: ${ips[bad]?.ip ?? ''}`);
  if (ips.length > 2 || bad >= 0 || families[0] === families[1]) {
    const struct = field === 'podIPs' ? 'io.k8s.api.core.v1.PodIP' : 'io.k8s.api.core.v1.HostIP';
    const shown = ips.map((ip) => goValue(struct, { ...ip }));
    errors.invalid(`status.${field}`, shown, 'may specify no more than one IP for each IP family');
  }
}
