import type { DeepReadonly } from '@skiff/apimachinery';
import type { PodSpec } from '../../../generated/types/core-v1.ts';
import { containersWithPaths } from './containers.ts';

/** What is stored and shown, but watched over by no kubelet of Skiff: use of the disk. `path`: of the spec. */
export function unenforcedWarnings(spec: DeepReadonly<PodSpec>, path: string): string[] {
  return [
    ...(spec.volumes ?? []).flatMap((v, i) =>
      v.emptyDir?.sizeLimit === undefined || v.emptyDir.medium === 'Memory' || v.emptyDir.sizeLimit === '0'
        ? []
        : [`${path}.volumes[${i}].emptyDir.sizeLimit: not enforced for volumes on disk`],
    ),
    ...containersWithPaths(spec, path).flatMap(({ container, path: at }) =>
      container.resources?.limits?.['ephemeral-storage'] === undefined ? [] : [`${at}.resources.limits[ephemeral-storage]: not enforced`],
    ),
  ];
}
