import { type DeepReadonly, type FieldErrors, isValidPortName, isValidPortNum } from '@skiff/apimachinery';
import type { Container, ContainerPort, ContainerResizePolicy, ContainerRestartRule, PodSpec } from '../../../generated/types/core-v1.ts';
import { dnsLabel, invalidEach, requireOneOf, requireText, supportedOnly } from '../../../validation.ts';
import { validateResourceRequirements } from '../resource-requirements.ts';
import { validateEnv, validateEnvFrom } from './validate-env.ts';
import { validateMounts } from './validate-mounts.ts';
import { validateSecurityContext } from './validate-security-context.ts';
import type { VolumesByName } from './validate-volumes.ts';

/** What the checks of one container need to know of its Pod. */
export interface ContainerScope {
  readonly spec: DeepReadonly<PodSpec>;
  readonly volumes: VolumesByName;
  readonly claimNames: ReadonlySet<string>;
  /** False with a user namespace. */
  readonly hostUsers: boolean;
}

/** What every container must be, whichever list it stands in. */
export function validateContainer(container: DeepReadonly<Container>, path: string, errors: FieldErrors, scope: ContainerScope): void {
  if (requireText(errors, `${path}.name`, container.name)) dnsLabel(errors, `${path}.name`, container.name);
  requireText(errors, `${path}.image`, container.image);
  requireOneOf(errors, `${path}.terminationMessagePolicy`, container.terminationMessagePolicy, ['File', 'FallbackToLogsOnError']);
  validatePorts(container.ports ?? [], `${path}.ports`, errors);
  validateEnv(container.env ?? [], `${path}.env`, errors);
  validateEnvFrom(container.envFrom ?? [], `${path}.envFrom`, errors);
  validateMounts(container, scope.volumes, path, errors);
  requireOneOf(errors, `${path}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']);
  validateResourceRequirements(container.resources ?? {}, `${path}.resources`, errors, { of: 'container', claimNames: scope.claimNames });
  validateResizePolicy(container.resizePolicy ?? [], `${path}.resizePolicy`, errors, scope.spec.restartPolicy);
  validateSecurityContext(container.securityContext, `${path}.securityContext`, scope.hostUsers, errors);
}

function validatePorts(ports: readonly DeepReadonly<ContainerPort>[], path: string, errors: FieldErrors): void {
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const at = `${path}[${i}]`;
    if (port.name) {
      const complaints = isValidPortName(port.name);
      invalidEach(errors, `${at}.name`, port.name, complaints);
      if (complaints.length === 0 && names.has(port.name)) errors.duplicate(`${at}.name`, port.name);
      if (complaints.length === 0) names.add(port.name);
    }
    if (!port.containerPort) errors.required(`${at}.containerPort`);
    else invalidEach(errors, `${at}.containerPort`, port.containerPort, isValidPortNum(port.containerPort));
    if (port.hostPort) invalidEach(errors, `${at}.hostPort`, port.hostPort, isValidPortNum(port.hostPort));
    requireOneOf(errors, `${at}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
  }
}

function validateResizePolicy(
  policies: readonly DeepReadonly<ContainerResizePolicy>[],
  path: string,
  errors: FieldErrors,
  podRestartPolicy: string | undefined,
): void {
  const seen = new Set<string>();
  for (const [i, { resourceName = '', restartPolicy = '' }] of policies.entries()) {
    if (seen.has(resourceName)) errors.duplicate(`${path}[${i}]`, resourceName);
    seen.add(resourceName);
    requireOneOf(errors, path, resourceName, ['cpu', 'memory']);
    requireOneOf(errors, path, restartPolicy, ['NotRequired', 'RestartContainer']);
    if (podRestartPolicy === 'Never' && restartPolicy !== 'NotRequired') {
      errors.invalid(path, restartPolicy, "must be 'NotRequired' when pod `restartPolicy` is 'Never'");
    }
  }
}

/** KEP-5307: a container's own restart policy and the exit codes that override it. */
export function validateRestartPolicy(container: DeepReadonly<Container>, path: string, errors: FieldErrors): void {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  if (restartPolicy === undefined) {
    if (rules.length === 0) return;
    errors.required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used');
  } else supportedOnly(errors, `${path}.restartPolicy`, restartPolicy, ['Always', 'Never', 'OnFailure']);
  if (rules.length > 20) errors.tooMany(`${path}.restartPolicyRules`, rules.length, 20);
  for (const [i, rule] of rules.entries()) validateRestartRule(rule, `${path}.restartPolicyRules[${i}]`, errors);
}

function validateRestartRule(rule: DeepReadonly<ContainerRestartRule>, path: string, errors: FieldErrors): void {
  supportedOnly(errors, `${path}.action`, rule.action, ['Restart', 'RestartAllContainers']);
  if (rule.exitCodes === undefined) {
    errors.required(`${path}.exitCodes`, 'must be specified');
    return;
  }
  supportedOnly(errors, `${path}.exitCodes.operator`, rule.exitCodes.operator, ['In', 'NotIn']);
  const count = (rule.exitCodes.values ?? []).length;
  if (count > 255) errors.tooMany(`${path}.exitCodes.values`, count, 255);
}

/** A port of the host can be given away once, by address and protocol. */
export function validateHostPorts(containers: readonly DeepReadonly<Container>[], path: string, errors: FieldErrors): void {
  const taken = new Set<string>();
  for (const [i, container] of containers.entries()) {
    for (const [j, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue;
      const key = `${port.protocol ?? ''}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) errors.duplicate(`${path}[${i}].ports[${j}].hostPort`, key);
      taken.add(key);
    }
  }
}

export function validateImageWhitespace(container: { readonly image?: string }, path: string, errors: FieldErrors): void {
  const image = container.image ?? '';
  if (image.trim() !== image) errors.invalid(`${path}.image`, image, 'must not have leading or trailing whitespace');
}
