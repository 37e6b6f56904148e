import { nodesOf, podsOf } from '../framework/node-change.ts';
import type { SchedulerPlugin } from '../framework/plugin.ts';
import { isTolerated } from '../framework/toleration.ts';
import { ok, unresolvable } from '../framework/verdict.ts';

const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
const rejection = unresolvable('node(s) were unschedulable');

/** A cordoned node takes only pods that tolerate its taint. */
export const nodeUnschedulable: SchedulerPlugin = {
  name: 'NodeUnschedulable',
  requeueOn: [
    {
      resource: 'Node',
      actions: ['add', 'update-taints'],
      helps: (_, event) => {
        const { before, after } = nodesOf(event);
        return after?.node?.spec?.unschedulable !== true && (before === undefined || before.node?.spec?.unschedulable === true);
      },
    },
    {
      resource: 'UnscheduledPod',
      actions: ['update-tolerations'],
      helps: (_, event) => isTolerated(podsOf(event).after?.spec?.tolerations, unschedulableTaint),
    },
  ],
  filter: ({ pod }, { node }) =>
    node?.spec?.unschedulable !== true || isTolerated(pod.spec?.tolerations, unschedulableTaint) ? ok : rejection,
};
