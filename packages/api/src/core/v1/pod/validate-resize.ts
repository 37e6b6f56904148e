import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../../../generated/types/core-v1.ts';
import { deepEqual, semanticEqual } from '../../../semantic-equality.ts';
import { isSidecar } from './containers.ts';
import { computePodQOSClass } from './qos-class.ts';
import { mirrorAnnotation } from './validate-annotations.ts';
import { validatePodBody } from './validate-pod.ts';
import { podValidationOptions } from './validation-options.ts';

type Requirements = DeepReadonly<ResourceRequirements> | undefined;
const containerStruct = 'io.k8s.api.core.v1.Container';

/** KEP-1287: CPU and memory of a running Pod, nothing else. */
export function validatePodResize(pod: DeepReadonly<Pod>, old: DeepReadonly<Pod>, errors: FieldErrors): void {
  if (old.metadata?.annotations?.[mirrorAnnotation] !== undefined) return errors.forbidden('', 'static pods cannot be resized');
  if (old.spec?.os?.name === 'windows') return errors.forbidden('', 'windows pods cannot be resized');
  validatePodBody(pod, errors, podValidationOptions(old.spec, { meta: pod.metadata }));
  const spec = pod.spec ?? { containers: [] };
  const before = old.spec ?? { containers: [] };
  if ((old.status?.qosClass ?? computePodQOSClass(before)) !== computePodQOSClass(spec)) {
    errors.invalid('spec', pod.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing');
  }
  const running = (old.status?.containerStatuses ?? []).find((s) => s.state?.running !== undefined);
  if (running && running.resources === undefined) errors.forbidden('spec', 'Pod running on node without support for resize');
  const beforePodLevel = errors.list.length;
  if (hasResources(before.resources) || hasResources(spec.resources)) validatePodLevel(spec, before, errors);
  const podLevelRefused = errors.list.length > beforePodLevel;
  if (!validateOrder(spec, before, errors)) return;
  validateRemoved(spec.initContainers ?? [], before.initContainers ?? [], 'initContainers', errors);
  validateRemoved(spec.containers, before.containers, 'containers', errors);
  for (const [i, container] of spec.containers.entries()) {
    if (!sameButCPUAndMemory(container, before.containers[i])) errors.forbidden('spec', 'only cpu and memory resources are mutable');
  }
  for (const [i, container] of (spec.initContainers ?? []).entries()) {
    validateInitContainer(container, before.initContainers?.[i], `spec.initContainers[${i}]`, errors);
  }
  if (!podLevelRefused && errors.empty && !sameRest(spec, before)) errors.forbidden('spec', 'only cpu and memory resources are mutable');
}

const hasResources = (r: Requirements): boolean => Object.keys({ ...r?.requests, ...r?.limits }).length > 0;

function isRemoved(list: Readonly<Record<string, string>> | undefined, before: Readonly<Record<string, string>> | undefined): boolean {
  return Object.keys(before ?? {}).some((name) => list?.[name] === undefined);
}

function validatePodLevel(spec: DeepReadonly<PodSpec>, before: DeepReadonly<PodSpec>, errors: FieldErrors): void {
  if (before.resources !== undefined && spec.resources === undefined) {
    return errors.forbidden('spec.resources', 'pod-level resources cannot be removed');
  }
  for (const list of ['requests', 'limits'] as const) {
    if (isRemoved(spec.resources?.[list], before.resources?.[list])) {
      errors.forbidden(`spec.resources.${list}`, `pod-level resource ${list} cannot be removed`);
    }
  }
  if (!deepEqual(otherResources(spec.resources), otherResources(before.resources))) {
    errors.forbidden('spec', 'only cpu and memory resources are mutable at pod-level');
  }
}

function otherResources(r: Requirements): unknown {
  const others = (list: Readonly<Record<string, string>> | undefined): Record<string, string> =>
    Object.fromEntries(Object.entries(list ?? {}).filter(([name]) => name !== 'cpu' && name !== 'memory'));
  return { requests: others(r?.requests), limits: others(r?.limits), claims: r?.claims ?? [] };
}

function validateOrder(spec: DeepReadonly<PodSpec>, before: DeepReadonly<PodSpec>, errors: FieldErrors): boolean {
  const known = errors.list.length;
  for (const field of ['containers', 'initContainers'] as const) {
    const containers = spec[field] ?? [];
    const olds = before[field] ?? [];
    if (containers.length !== olds.length) errors.forbidden(`spec.${field}`, `${field} may not be added or removed on resize`);
    else {
      for (const [i, old] of olds.entries()) {
        if (containers[i]?.name !== old.name)
          errors.forbidden(`spec.${field}[${i}].name`, `${field} may not be renamed or reordered on resize`);
      }
    }
  }
  return errors.list.length === known;
}

function validateRemoved(
  containers: readonly DeepReadonly<Container>[],
  olds: readonly DeepReadonly<Container>[],
  field: string,
  errors: FieldErrors,
): void {
  for (const [i, container] of containers.entries()) {
    for (const list of ['requests', 'limits'] as const) {
      if (isRemoved(container.resources?.[list], olds[i]?.resources?.[list])) {
        errors.forbidden(`spec.${field}[${i}].resources.${list}`, `resource ${list} cannot be removed`);
      }
    }
  }
}

const sameButCPUAndMemory = (container: DeepReadonly<Container>, old: DeepReadonly<Container> | undefined): boolean =>
  semanticEqual(containerStruct, { ...container, resources: {} }, { ...old, resources: {} }) &&
  deepEqual(otherResources(container.resources), otherResources({ ...old?.resources, claims: [] }));

function validateInitContainer(
  container: DeepReadonly<Container>,
  old: DeepReadonly<Container> | undefined,
  path: string,
  errors: FieldErrors,
): void {
  if (!sameButCPUAndMemory(container, old))
    errors.forbidden(path, 'only cpu and memory resources for init or sidecar containers are mutable');
  if (isSidecar(container) || semanticEqual(containerStruct, container, old)) return;
  for (const { restartPolicy } of container.resizePolicy ?? []) {
    if (restartPolicy !== 'RestartContainer') continue;
    errors.forbidden(path, 'non-sidecar init containers with a resize policy of RestartContainer cannot be resized');
  }
}

const sameRest = (spec: DeepReadonly<PodSpec>, before: DeepReadonly<PodSpec>): boolean =>
  semanticEqual(
    'io.k8s.api.core.v1.PodSpec',
    { ...spec, containers: [], initContainers: [], resources: undefined },
    { ...before, containers: [], initContainers: [], resources: undefined },
  );
