import type { AppArmorProfile, Pod } from '../../../generated/types/core-v1.ts';
import { deepEqual } from '../../../semantic-equality.ts';

export const appArmorAnnotationPrefix = 'container.apparmor.security.beta.kubernetes.io/';

/** The field that a deprecated annotation stands for; undefined when its value means nothing. */
export function appArmorFieldForAnnotation(annotation: string): AppArmorProfile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  const prefix = 'localhost/';
  if (!annotation.startsWith(prefix) || annotation.length === prefix.length) return undefined;
  const localhostProfile = annotation.slice(prefix.length);
  return localhostProfile.trim() === localhostProfile && localhostProfile.length <= 4095
    ? { type: 'Localhost', localhostProfile }
    : undefined;
}

/** KEP-24: annotations of before 1.30 become fields, unless the Pod's own profile says the same. */
export function syncAppArmorAnnotations(pod: Pod): void {
  const spec = pod.spec;
  if (spec === undefined || spec.os?.name === 'windows') return;
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
  for (const container of containers) {
    const annotation = pod.metadata?.annotations?.[appArmorAnnotationPrefix + container.name];
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue;
    const profile = appArmorFieldForAnnotation(annotation);
    if (profile === undefined || deepEqual(profile, spec.securityContext?.appArmorProfile)) continue;
    container.securityContext = { ...container.securityContext, appArmorProfile: profile };
  }
}
