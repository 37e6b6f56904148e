import type { DeepReadonly } from '@skiff/apimachinery';
import type { Container, EphemeralContainer, PodSpec } from '../../../generated/types/core-v1.ts';

export interface ContainerAt {
  readonly container: DeepReadonly<Container> | DeepReadonly<EphemeralContainer>;
  readonly path: string;
}

/** Every container of a Pod with its path: init, app, then ephemeral ones. */
export function containersWithPaths(spec: DeepReadonly<PodSpec>, path: string): ContainerAt[] {
  const of = (field: 'initContainers' | 'containers' | 'ephemeralContainers'): ContainerAt[] =>
    (spec[field] ?? []).map((container, i) => ({ container, path: `${path}.${field}[${i}]` }));
  return [...of('initContainers'), ...of('containers'), ...of('ephemeralContainers')];
}

export const isSidecar = (container: { readonly restartPolicy?: string }): boolean => container.restartPolicy === 'Always';
