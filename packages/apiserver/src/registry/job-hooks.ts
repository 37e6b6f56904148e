import type { ResourceHooks } from './resource-hooks.ts';

/** Jobs orphan their pods unless told otherwise, which surprises: upstream says so. */
export const jobHooks: ResourceHooks = {
  deletionWarnings: ({ orphanDependents, propagationPolicy }) =>
    orphanDependents === undefined && propagationPolicy === undefined
      ? [
          'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
        ]
      : [],
};
