import {
  type CheckPod,
  containersOf,
  named,
  namesOf,
  type PodSpec,
  quoted,
  setters,
  several,
  type SomeContainer,
  sorted,
} from './check.ts';

const podAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
const containerPrefix = 'container.seccomp.security.alpha.kubernetes.io/';
const allowedText = (text: string): boolean => text === 'runtime/default' || text === 'docker/default' || text.startsWith('localhost/');

/** Before 1.19 seccomp profiles stood in annotations. */
export const seccompOfAnnotations: CheckPod = (spec, meta) => {
  const keys = [podAnnotation, ...containersOf(spec).map((c) => containerPrefix + (c.name ?? ''))];
  const bad = sorted(
    keys.flatMap((key) => {
      const value = meta.annotations?.[key];
      return value === undefined || allowedText(value) ? [] : [`${key}=${JSON.stringify(value)}`];
    }),
  );
  return bad.length === 0
    ? undefined
    : { reason: 'seccompProfile', detail: `forbidden ${several(bad.length, 'annotation')} ${bad.join(', ')}` };
};

const typeOf = (x: PodSpec | SomeContainer): string | undefined =>
  x.securityContext?.seccompProfile === undefined ? undefined : (x.securityContext.seccompProfile.type ?? '');
const allowed: ReadonlySet<string | undefined> = new Set(['RuntimeDefault', 'Localhost']);
const isBad = (x: PodSpec | SomeContainer): boolean => typeOf(x) !== undefined && !allowed.has(typeOf(x));

export const seccompBaseline: CheckPod = (spec) => {
  const who = setters(isBad(spec), namesOf(spec, isBad));
  if (who === '') return undefined;
  const types = sorted([spec, ...containersOf(spec)].filter(isBad).map((x) => typeOf(x) ?? ''));
  return { reason: 'seccompProfile', detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(types)}` };
};

/** Beyond the baseline, some profile has to be set, by the pod or by each container. */
export const seccompRestricted: CheckPod = (spec, meta) => {
  const explicit = seccompBaseline(spec, meta);
  if (explicit !== undefined) return explicit;
  const without = typeOf(spec) === undefined ? namesOf(spec, (c) => typeOf(c) === undefined) : [];
  if (without.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `pod or ${named(without)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};
