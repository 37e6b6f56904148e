import type { Toleration } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { StateKey } from '../framework/cycle-context.ts';
import { nodesOf } from '../framework/node-change.ts';
import { normalizeToMax, type SchedulerPlugin } from '../framework/plugin.ts';
import { firstUntolerated, isTolerated } from '../framework/toleration.ts';
import { ok, unresolvable } from '../framework/verdict.ts';

const rejection = unresolvable('node(s) had untolerated taint(s)');
const softTolerations: StateKey<readonly DeepReadonly<Toleration>[]> = { name: 'tolerations of PreferNoSchedule' };

/** Keeps pods off nodes whose taints they don't tolerate, and away from those they tolerate unwillingly. */
export const taintToleration: SchedulerPlugin = {
  name: 'TaintToleration',
  requeueOn: [
    {
      resource: 'Node',
      actions: ['add', 'update-taints'],
      helps: ({ pod }, event) => {
        const { before, after } = nodesOf(event);
        const isKeptAway = (taints: readonly { key: string; effect: string }[]): boolean =>
          firstUntolerated(pod.spec?.tolerations, taints) !== undefined;
        return (before === undefined || isKeptAway(before.taints)) && after !== undefined && !isKeptAway(after.taints);
      },
    },
    { resource: 'UnscheduledPod', actions: ['update-tolerations'] },
  ],
  filter: ({ pod }, node) => (firstUntolerated(pod.spec?.tolerations, node.taints) === undefined ? ok : rejection),
  preScore: ({ pod }, _nodes, context) => {
    context.write(softTolerations, pod.spec?.tolerations?.filter((t) => !t.effect || t.effect === 'PreferNoSchedule') ?? []);
    return ok;
  },
  score: (_, node, context) => {
    if (node.preferNoScheduleTaints.length === 0) return 0;
    const tolerations = context.require(softTolerations);
    return node.preferNoScheduleTaints.filter((taint) => !isTolerated(tolerations, taint)).length;
  },
  normalize: (scores) => normalizeToMax(scores, true),
};
