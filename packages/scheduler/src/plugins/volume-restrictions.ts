import type { PersistentVolumeClaim } from '@skiff/api';
import type { Lister } from '@skiff/client';
import type { CycleContext, StateKey } from '../framework/cycle-context.ts';
import { podsOf } from '../framework/node-change.ts';
import type { SchedulerPlugin } from '../framework/plugin.ts';
import { createPodInfo, type PodInfo } from '../framework/pod-info.ts';
import { ok, skip, unschedulable } from '../framework/verdict.ts';
import { claimReferences } from '../volumes/pod-claims.ts';

const rejection = unschedulable(
  'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
);

interface ExclusiveUse {
  readonly names: ReadonlySet<string>;
  /** How many pods use one of them. */
  users: number;
  clone(): ExclusiveUse;
}
const exclusiveUse: StateKey<ExclusiveUse> = { name: 'use of ReadWriteOncePod claims' };

/** A claim with access mode ReadWriteOncePod is for one pod in the whole cluster (KEP-2485). */
export const createVolumeRestrictions = ({ claims }: { readonly claims: Lister<PersistentVolumeClaim> }): SchedulerPlugin => ({
  name: 'VolumeRestrictions',
  requeueOn: [
    {
      resource: 'AssignedPod',
      actions: ['delete'],
      helps: (pod, event) => {
        const gone = podsOf(event).before;
        return gone === undefined || usesOneOf(createPodInfo(gone), pod.namespace, new Set(claimReferences(pod).map((c) => c.name)));
      },
    },
    {
      resource: 'PersistentVolumeClaim',
      actions: ['add', 'update'],
      helps: (pod, event) => event.new?.metadata?.namespace === pod.namespace,
    },
  ],
  preFilter: (pod, context) => {
    const isExclusive = (name: string): boolean =>
      claims.get({ namespace: pod.namespace, name })?.spec?.accessModes?.includes('ReadWriteOncePod') ?? false;
    const names = new Set(claimReferences(pod).flatMap(({ name }) => (isExclusive(name) ? [name] : [])));
    if (names.size === 0) return skip;
    let users = 0;
    for (const node of context.snapshot.nodes) for (const other of node.pods.values()) if (usesOneOf(other, pod.namespace, names)) users++;
    context.write(exclusiveUse, newUse(names, users));
    return ok;
  },
  addPod: (pod, added, _, context) => shift(pod, added, context, 1),
  removePod: (pod, removed, _, context) => shift(pod, removed, context, -1),
  filter: (_, __, context) => (context.require(exclusiveUse).users > 0 ? rejection : ok),
});

const newUse = (names: ReadonlySet<string>, users: number): ExclusiveUse => ({
  names,
  users,
  clone() {
    return newUse(names, this.users);
  },
});

const usesOneOf = (other: PodInfo, namespace: string, names: ReadonlySet<string>): boolean =>
  other.namespace === namespace && claimReferences(other).some(({ name }) => names.has(name));

function shift(pod: PodInfo, other: PodInfo, context: CycleContext, sign: 1 | -1): void {
  const use = context.read(exclusiveUse);
  if (use !== undefined && usesOneOf(other, pod.namespace, use.names)) use.users += sign;
}
