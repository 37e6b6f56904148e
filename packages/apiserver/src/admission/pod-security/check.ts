import type { Container, Pod } from '@skiff/api';
import type { DeepReadonly, ObjectMeta } from '@skiff/apimachinery';

export type PodSpec = DeepReadonly<Partial<NonNullable<Pod['spec']>>>;
export type SomeContainer = DeepReadonly<Container>;

/** Why a pod doesn't meet a check: `reason` for all pods of a namespace, with `detail` for one. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export type CheckPod = (spec: PodSpec, meta: DeepReadonly<ObjectMeta>) => Violation | undefined;

/** One control of the Pod Security Standards, as it stood from the minor version `since` on. */
export interface Check {
  readonly id: string;
  readonly versions: readonly { readonly since: number; readonly check: CheckPod }[];
  /** The baseline check that a restricted one stands for. */
  readonly overrides?: string;
}

/** Init containers, containers, ephemeral containers. */
export const containersOf = (spec: PodSpec): readonly SomeContainer[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...((spec.ephemeralContainers ?? []) as readonly SomeContainer[]),
];

export const namesOf = (spec: PodSpec, isBad: (c: SomeContainer) => boolean): string[] =>
  containersOf(spec)
    .filter(isBad)
    .map((c) => c.name ?? '');

export const quoted = (items: Iterable<string>): string => [...items].map((i) => `"${i}"`).join(', ');
export const several = (n: number, singular: string, plural = `${singular}s`): string => (n === 1 ? singular : plural);
/** `container "a"`, `containers "a", "b"` */
export const named = (names: readonly string[]): string => `${several(names.length, 'container')} ${quoted(names)}`;
export const sorted = (values: Iterable<string>): string[] => [...new Set(values)].toSorted();

/** The pod itself and its bad containers, as those that set something. */
export const setters = (pod: boolean, containers: readonly string[]): string =>
  [...(pod ? ['pod'] : []), ...(containers.length > 0 ? [named(containers)] : [])].join(' and ');

export const inUserNamespace = (spec: PodSpec): boolean => spec.hostUsers === false;
export const isWindows = (spec: PodSpec): boolean => spec.os?.name === 'windows';

/** The check, but not for pods of which `exempt` is true. */
export const unless =
  (exempt: (spec: PodSpec) => boolean, check: CheckPod): CheckPod =>
  (spec, meta) =>
    exempt(spec) ? undefined : check(spec, meta);
