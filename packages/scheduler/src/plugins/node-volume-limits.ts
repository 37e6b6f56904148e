import type { CSINode, VolumeAttachment } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Lister } from '@skiff/client';
import type { StateKey } from '../framework/cycle-context.ts';
import { podsOf } from '../framework/node-change.ts';
import type { SchedulerPlugin } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { ok, skip, unschedulable } from '../framework/verdict.ts';
import { claimReferences, type VolumeListers } from '../volumes/pod-claims.ts';

export interface NodeVolumeLimitsDependencies extends VolumeListers {
  readonly csiNodes: Lister<CSINode>;
  readonly attachments: Lister<VolumeAttachment>;
}

const rejection = unschedulable('node(s) exceed max volume count');

/** Volume → its driver. A volume that is yet to be made counts as one of its class's driver. */
type Volumes = ReadonlyMap<string, string>;
const volumesOfPod: StateKey<Volumes> = { name: 'CSI volumes of the pod' };
type Attachments = ReadonlyMap<string, readonly DeepReadonly<VolumeAttachment>[]>;
const attachmentsByNode: StateKey<Attachments> = { name: 'VolumeAttachments by node' };

/** A node can attach only so many volumes of a driver, as its CSINode object tells. */
export function createNodeVolumeLimits(deps: NodeVolumeLimitsDependencies): SchedulerPlugin {
  const volumesOf = (pod: PodInfo): Volumes => {
    const found = new Map<string, string>();
    for (const { name } of claimReferences(pod)) {
      const claim = deps.claims.get({ namespace: pod.namespace, name });
      const csi = deps.volumes.get({ name: claim?.spec?.volumeName ?? '' })?.spec?.csi;
      if (csi !== undefined) found.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver);
      else if (claim !== undefined && !claim.spec?.volumeName) {
        const provisioner = deps.classes.get({ name: claim.spec?.storageClassName ?? '' })?.provisioner;
        if (provisioner !== undefined) found.set(`${provisioner}/${pod.namespace}/${name}`, provisioner);
      }
    }
    // Inline volumes are the pod's own.
    for (const volume of pod.pod.spec?.volumes ?? [])
      if (volume.csi !== undefined) found.set(`${volume.csi.driver}/${pod.uid}/${volume.name}`, volume.csi.driver);
    return found;
  };
  return {
    name: 'NodeVolumeLimits',
    requeueOn: [
      { resource: 'CSINode', actions: ['add', 'update'] },
      {
        resource: 'AssignedPod',
        actions: ['delete'],
        helps: (_, event) => {
          const gone = podsOf(event).before;
          return gone === undefined || (gone.spec?.volumes ?? []).some((v) => v.persistentVolumeClaim ?? v.ephemeral ?? v.csi);
        },
      },
      {
        resource: 'PersistentVolumeClaim',
        actions: ['add'],
        helps: (pod, event) => event.new?.metadata?.namespace === pod.namespace,
      },
      { resource: 'VolumeAttachment', actions: ['delete'] },
    ],
    preFilter: (pod, context) => {
      const volumes = volumesOf(pod);
      if (volumes.size === 0) return skip;
      context.write(volumesOfPod, volumes);
      const byNode = new Map<string, DeepReadonly<VolumeAttachment>[]>();
      for (const attachment of deps.attachments.list()) {
        const name = attachment.spec?.nodeName ?? '';
        const there = byNode.get(name);
        if (there === undefined) byNode.set(name, [attachment]);
        else there.push(attachment);
      }
      context.write(attachmentsByNode, byNode);
      return ok;
    },
    filter: (_, node, context) => {
      const volumes = context.require(volumesOfPod);
      const attachments = context.require(attachmentsByNode).get(node.name) ?? [];
      const drivers = deps.csiNodes.get({ name: node.name })?.spec?.drivers ?? [];
      for (const { name, allocatable } of drivers) {
        const limit = allocatable?.count;
        const wanted = [...volumes].filter(([, driver]) => driver === name).map(([volume]) => volume);
        if (limit === undefined || wanted.length === 0) continue;
        const present = new Set<string>();
        for (const other of node.pods.values()) for (const [volume, driver] of volumesOf(other)) if (driver === name) present.add(volume);
        for (const attachment of attachments) {
          if (attachment.spec?.attacher !== name) continue;
          const csi = deps.volumes.get({ name: attachment.spec.source.persistentVolumeName ?? '' })?.spec?.csi;
          if (csi !== undefined) present.add(`${csi.driver}/${csi.volumeHandle}`);
        }
        const added = wanted.filter((volume) => !present.has(volume)).length;
        if (added > 0 && present.size + added > limit) return rejection;
      }
      return ok;
    },
  };
}
