import { type NodeSelectorTerm, nodeTermMatches, selectsNode } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { nodesOf } from '../framework/node-change.ts';
import { normalizeToMax, type SchedulerPlugin } from '../framework/plugin.ts';
import { ok, skip, unresolvable } from '../framework/verdict.ts';

const rejection = unresolvable("node(s) didn't match Pod's node affinity/selector");

/** nodeSelector, required and preferred node affinity. */
export const nodeAffinity: SchedulerPlugin = {
  name: 'NodeAffinity',
  requeueOn: [
    {
      resource: 'Node',
      actions: ['add', 'update-labels'],
      helps: ({ pod }, event) => {
        const { before, after } = nodesOf(event);
        return after !== undefined && selectsNode(pod.spec, after) && (before === undefined || !selectsNode(pod.spec, before));
      },
    },
  ],
  preFilter: ({ pod }) => {
    const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
    if (required === undefined) return pod.spec?.nodeSelector === undefined ? skip : ok;
    const names = namedNodes(required.nodeSelectorTerms);
    if (names === undefined) return ok;
    return names.size === 0 ? unresolvable('pod affinity terms conflict') : { code: 'ok', nodeNames: names };
  },
  filter: ({ pod }, node) => (selectsNode(pod.spec, node) ? ok : rejection),
  preScore: ({ pod }) => (pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution === undefined ? skip : ok),
  score: ({ pod }, node) => {
    let score = 0;
    for (const { weight, preference } of pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (weight !== 0 && nodeTermMatches(preference, node)) score += weight;
    }
    return score;
  },
  normalize: (scores) => normalizeToMax(scores, false),
};

/** When every term names nodes (DaemonSet pods do), only these can be it: all others need not be looked at. */
function namedNodes(terms: readonly DeepReadonly<NodeSelectorTerm>[]): Set<string> | undefined {
  const all = new Set<string>();
  for (const term of terms) {
    const lists = (term.matchFields ?? []).filter((r) => r.key === 'metadata.name' && r.operator === 'In').map((r) => r.values ?? []);
    if (lists.length === 0) return undefined;
    for (const name of lists[0] ?? []) if (lists.every((list) => list.includes(name))) all.add(name);
  }
  return terms.length === 0 ? undefined : all;
}
