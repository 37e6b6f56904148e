import type { SchedulerPlugin } from '../framework/plugin.ts';
import { ok, unresolvable } from '../framework/verdict.ts';

const rejection = unresolvable("node(s) didn't match the requested node name");

/** A pod that names its node gets that node. Such pods normally pass the scheduler by. */
export const nodeName: SchedulerPlugin = {
  name: 'NodeName',
  requeueOn: [{ resource: 'Node', actions: ['add'] }],
  filter: ({ pod }, { name }) => (!pod.spec?.nodeName || pod.spec.nodeName === name ? ok : rejection),
};
