import type { SchedulerPlugin } from '../framework/plugin.ts';
import { skip, unresolvable } from '../framework/verdict.ts';

const rejection = unresolvable('the pod has resource claims, which this cluster does not allocate');

/** Devices by claim (KEP-4381) are not allocated: a pod that asks for some waits, and says why, rather than run without them. */
export const dynamicResources: SchedulerPlugin = {
  name: 'DynamicResources',
  // Nothing brings such a pod back: its claims can't change.
  requeueOn: [],
  preFilter: ({ pod }) => ((pod.spec?.resourceClaims ?? []).length === 0 ? skip : rejection),
};
