import { labelsOf } from '../framework/label-selector.ts';
import type { SchedulerPlugin } from '../framework/plugin.ts';
import { ok, skip, unresolvable } from '../framework/verdict.ts';
import { claimReferences, type VolumeListers } from '../volumes/pod-claims.ts';

const rejection = unresolvable('node(s) had no available volume zone');
const zoneLabels = [
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
];

/** Volumes that are labelled with zones are used in these only. Nodes without any such label are in the one zone there is. */
export const createVolumeZone = ({ claims, volumes }: Pick<VolumeListers, 'claims' | 'volumes'>): SchedulerPlugin => ({
  name: 'VolumeZone',
  requeueOn: [
    { resource: 'Node', actions: ['add', 'update-labels'] },
    { resource: 'PersistentVolume', actions: ['add', 'update'] },
    {
      resource: 'PersistentVolumeClaim',
      actions: ['add', 'update'],
      helps: (pod, event) => event.new?.metadata?.namespace === pod.namespace,
    },
  ],
  preFilter: (pod) => {
    if (claimReferences(pod).length === 0) return skip;
    for (const { name } of claimReferences(pod)) {
      const volumeName = claims.get({ namespace: pod.namespace, name })?.spec?.volumeName;
      if (volumeName && volumes.get({ name: volumeName }) === undefined) return unresolvable(`persistentvolume "${volumeName}" not found`);
    }
    return ok;
  },
  filter: (pod, node) => {
    if (zoneLabels.every((label) => node.labels[label] === undefined)) return ok;
    for (const { name } of claimReferences(pod)) {
      const volumeName = claims.get({ namespace: pod.namespace, name })?.spec?.volumeName;
      const labels = labelsOf((volumeName && volumes.get({ name: volumeName })) || {});
      for (const label of zoneLabels) {
        // Several zones are joined by two underscores.
        const zones = labels[label]?.split('__');
        if (zones !== undefined && !zones.includes(node.labels[label] ?? '')) return rejection;
      }
    }
    return ok;
  },
});
