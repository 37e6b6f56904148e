import type { DeepReadonly, FieldErrors, ObjectMeta } from '@skiff/apimachinery';
import type { Pod, PodSpec, SeccompProfile, Toleration } from '../../../generated/types/core-v1.ts';
import { keyPath } from '../../../validation.ts';
import { localDescendingPath } from '../file-paths.ts';
import { appArmorAnnotationPrefix } from './app-armor.ts';
import { containersWithPaths } from './containers.ts';
import { validateTolerations } from './validate-scheduling.ts';

export const mirrorAnnotation = 'kubernetes.io/config.mirror';
const deletionCostAnnotation = 'controller.kubernetes.io/pod-deletion-cost';
const tolerationsAnnotation = 'scheduler.alpha.kubernetes.io/tolerations';
const seccompPodAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
const seccompContainerPrefix = 'container.seccomp.security.alpha.kubernetes.io/';

/** A Pod or the template of Pods. */
export interface PodLike {
  readonly metadata?: DeepReadonly<ObjectMeta>;
  readonly spec?: DeepReadonly<PodSpec>;
}

/** Annotations that once were, or still are, part of a Pod's API. */
export function validatePodAnnotations(pod: PodLike, errors: FieldErrors, path = 'metadata.annotations'): void {
  const annotations = pod.metadata?.annotations ?? {};
  const mirror = annotations[mirrorAnnotation];
  if (mirror !== undefined && !pod.spec?.nodeName) {
    errors.invalid(keyPath(path, mirrorAnnotation), mirror, 'must set spec.nodeName if mirror pod annotation is set');
  }
  if (annotations[tolerationsAnnotation]) validateTolerationsAnnotation(annotations[tolerationsAnnotation], path, errors);
  const cost = annotations[deletionCostAnnotation];
  if (cost !== undefined && !isDeletionCost(cost)) errors.invalid(keyPath(path, deletionCostAnnotation), cost, 'must be a 32bit integer');
  for (const [key, value] of Object.entries(annotations)) {
    if (key === seccompPodAnnotation || key.startsWith(seccompContainerPrefix)) validateSeccompAnnotation(value, `${path}.${key}`, errors);
    if (key.startsWith(appArmorAnnotationPrefix)) validateAppArmorAnnotation(key, value, pod.spec, keyPath(path, key), errors);
  }
}

/** A canonical 32-bit integer: no plus sign, no leading zeros. */
const isDeletionCost = (text: string): boolean => /^(0|-?[1-9]\d*)$/.test(text) && Math.abs(Number(text) + 0.5) < 2147483648;

function validateTolerationsAnnotation(text: string, path: string, errors: FieldErrors): void {
  let tolerations: unknown;
  try {
    tolerations = JSON.parse(text);
  } catch (e) {
    return errors.invalid(path, tolerationsAnnotation, e instanceof Error ? e.message : String(e));
  }
  if (Array.isArray(tolerations)) validateTolerations(tolerations as Toleration[], `${path}.${tolerationsAnnotation}`, errors);
}

function validateSeccompAnnotation(value: string, path: string, errors: FieldErrors): void {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(value)) return;
  if (value.startsWith('localhost/')) localDescendingPath(errors, path, value.slice('localhost/'.length));
  else errors.invalid(path, value, 'must be a valid seccomp profile');
}

function validateAppArmorAnnotation(
  key: string,
  value: string,
  spec: DeepReadonly<PodSpec> | undefined,
  path: string,
  errors: FieldErrors,
): void {
  const name = key.slice(appArmorAnnotationPrefix.length);
  const known = spec !== undefined && containersWithPaths(spec, '').some(({ container }) => container.name === name);
  if (!known) errors.invalid(path, name, 'container not found');
  const good = ['', 'runtime/default', 'unconfined'].includes(value) || value.startsWith('localhost/');
  if (!good) errors.invalid(path, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`);
}

/** AppArmor and mirror annotations are for good. */
export function validateAnnotationUpdates(pod: DeepReadonly<Pod>, old: DeepReadonly<Pod>, errors: FieldErrors): void {
  const path = 'metadata.annotations';
  const now = pod.metadata?.annotations ?? {};
  const before = old.metadata?.annotations ?? {};
  const fixed = (key: string, verb: string): void => {
    if (key.startsWith(appArmorAnnotationPrefix)) errors.forbidden(keyPath(path, key), `may not ${verb} AppArmor annotations`);
    if (key === mirrorAnnotation) errors.forbidden(keyPath(path, key), `may not ${verb} mirror pod annotation`);
  };
  for (const [key, value] of Object.entries(before)) if (now[key] !== value) fixed(key, 'remove or update');
  for (const key of Object.keys(now)) if (before[key] === undefined) fixed(key, 'add');
  validatePodAnnotations(pod, errors);
}

/** Where a profile is written twice, field and annotation must say the same. */
export function validateProfileAnnotations(pod: PodLike, errors: FieldErrors, specPath = 'spec'): void {
  const spec = pod.spec;
  const annotations = pod.metadata?.annotations ?? {};
  if (spec === undefined) return;
  const seccomp = (profile: DeepReadonly<SeccompProfile> | undefined, key: string, path: string): void =>
    matchProfile({ ...spellings.seccomp, profile, annotation: annotations[key], path: `${path}.seccompProfile` }, errors);
  seccomp(spec.securityContext?.seccompProfile, seccompPodAnnotation, `${specPath}.securityContext`);
  const containers = containersWithPaths(spec, specPath);
  for (const { container, path } of containers) {
    seccomp(container.securityContext?.seccompProfile, seccompContainerPrefix + container.name, `${path}.securityContext`);
  }
  if (spec.os?.name === 'windows') return;
  for (const { container, path } of containers) {
    const profile = container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
    const annotation = annotations[appArmorAnnotationPrefix + container.name];
    matchProfile({ ...spellings.appArmor, profile, annotation, path: `${path}.securityContext.appArmorProfile` }, errors);
  }
}

const spellings = {
  seccomp: { name: 'seccomp', runtimeDefault: ['runtime/default', 'docker/default'] },
  appArmor: { name: 'apparmor', runtimeDefault: ['runtime/default'] },
} as const;

interface ProfilePair {
  readonly name: string;
  readonly runtimeDefault: readonly string[];
  readonly profile: { readonly type: string; readonly localhostProfile?: string } | undefined;
  readonly annotation: string | undefined;
  readonly path: string;
}

function matchProfile({ name, runtimeDefault, profile, annotation, path }: ProfilePair, errors: FieldErrors): void {
  if (profile === undefined || annotation === undefined) return;
  const allowed: Readonly<Record<string, readonly string[]>> = { Unconfined: ['unconfined'], RuntimeDefault: runtimeDefault };
  const wrongType = (): void => errors.forbidden(`${path}.type`, `${name} type in annotation and field must match`);
  if (profile.type !== 'Localhost') {
    if (allowed[profile.type]?.includes(annotation) === false) wrongType();
  } else if (!annotation.startsWith('localhost/')) wrongType();
  else if (annotation.slice('localhost/'.length) !== profile.localhostProfile) {
    errors.forbidden(`${path}.localhostProfile`, `${name} profile in annotation and field must match`);
  }
}
