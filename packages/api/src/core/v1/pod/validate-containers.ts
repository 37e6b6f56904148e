import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { Container, EphemeralContainer } from '../../../generated/types/core-v1.ts';
import { builtinSchemas } from '../../../generated/index.ts';
import { isSidecar } from './containers.ts';
import {
  type ContainerScope,
  validateContainer,
  validateHostPorts,
  validateImageWhitespace,
  validateRestartPolicy,
} from './validate-container.ts';
import { forbidProbes, validateLifecycle, validateProbes } from './validate-probes.ts';
import { deepEqual } from '../../../semantic-equality.ts';

export function validateContainers(
  containers: readonly DeepReadonly<Container>[],
  path: string,
  errors: FieldErrors,
  scope: ContainerScope,
): void {
  if (containers.length === 0) return errors.required(path);
  const grace = scope.spec.terminationGracePeriodSeconds;
  const names = new Set<string>();
  for (const [i, container] of containers.entries()) {
    const at = `${path}[${i}]`;
    validateContainer(container, at, errors, scope);
    if (names.has(container.name)) errors.duplicate(`${at}.name`, container.name);
    names.add(container.name);
    validateLifecycle(container.lifecycle, grace, `${at}.lifecycle`, errors);
    validateProbes(container, grace, at, errors);
    validateRestartPolicy(container, at, errors);
  }
  validateHostPorts(containers, path, errors);
}

/** Init containers run one after the other, so that they may share host ports; sidecars are init containers that stay (KEP-753). */
export function validateInitContainers(
  containers: readonly DeepReadonly<Container>[],
  path: string,
  errors: FieldErrors,
  scope: ContainerScope,
): void {
  const grace = scope.spec.terminationGracePeriodSeconds;
  const names = new Set((scope.spec.containers ?? []).map((c) => c.name));
  for (const [i, container] of containers.entries()) {
    const at = `${path}[${i}]`;
    validateContainer(container, at, errors, scope);
    validateRestartPolicy(container, at, errors);
    if (names.has(container.name)) errors.duplicate(`${at}.name`, container.name);
    else if (container.name) names.add(container.name);
    validateHostPorts([container], path, errors);
    if (isSidecar(container)) {
      validateLifecycle(container.lifecycle, grace, `${at}.lifecycle`, errors);
      validateProbes(container, grace, at, errors);
      continue;
    }
    forbidProbes(container, at, errors);
    for (const [j, { restartPolicy }] of (container.resizePolicy ?? []).entries()) {
      if (restartPolicy !== 'RestartContainer') continue;
      errors.invalid(
        `${at}.resizePolicy[${j}].restartPolicy`,
        restartPolicy,
        "must not be set to 'RestartContainer' for non-sidecar initContainers",
      );
    }
  }
}

/** Fields of a container that make sense for one that is added to a running Pod. */
const ephemeralFields: ReadonlySet<string> = new Set([
  'name',
  'image',
  'command',
  'args',
  'workingDir',
  'envFrom',
  'env',
  'volumeMounts',
  'volumeDevices',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'imagePullPolicy',
  'securityContext',
  'stdin',
  'stdinOnce',
  'tty',
  'targetContainerName',
]);

const isZero = (value: unknown): boolean =>
  value === undefined || value === null || value === '' || deepEqual(value, {}) || (Array.isArray(value) && value.length === 0);

export function validateEphemeralContainers(
  containers: readonly DeepReadonly<EphemeralContainer>[],
  path: string,
  errors: FieldErrors,
  scope: ContainerScope,
): void {
  const others = new Set([...(scope.spec.containers ?? []), ...(scope.spec.initContainers ?? [])].map((c) => c.name));
  const names = new Set(others);
  for (const [i, container] of containers.entries()) {
    const at = `${path}[${i}]`;
    validateContainer(container, at, errors, scope);
    validateImageWhitespace(container, at, errors);
    if (names.has(container.name)) errors.duplicate(`${at}.name`, container.name);
    names.add(container.name);
    if (container.targetContainerName && !others.has(container.targetContainerName)) {
      errors.notFound(`${at}.targetContainerName`, container.targetContainerName);
    }
    const fields = container as Readonly<Record<string, unknown>>;
    for (const { name } of builtinSchemas.struct('io.k8s.api.core.v1.EphemeralContainer')?.fields ?? []) {
      if (!ephemeralFields.has(name) && !isZero(fields[name]))
        errors.forbidden(`${at}.${name}`, 'cannot be set for an Ephemeral Container');
    }
    for (const [j, mount] of (container.volumeMounts ?? []).entries()) {
      for (const field of ['subPath', 'subPathExpr'] as const) {
        if (mount[field]) errors.forbidden(`${at}.volumeMounts[${j}].${field}`, 'cannot be set for an Ephemeral Container');
      }
    }
  }
}
