import type { SchedulerPlugin } from '../framework/plugin.ts';
import { ok, unresolvable } from '../framework/verdict.ts';

/** A pod with scheduling gates waits until the last one is taken away. */
export const schedulingGates: SchedulerPlugin = {
  name: 'SchedulingGates',
  requeueOn: [{ resource: 'UnscheduledPod', actions: ['gates-eliminated'] }],
  preEnqueue: ({ pod }) => {
    const gates = pod.spec?.schedulingGates ?? [];
    return gates.length === 0 ? ok : unresolvable(`waiting for scheduling gates: [${gates.map((g) => g.name).join(' ')}]`);
  },
};
