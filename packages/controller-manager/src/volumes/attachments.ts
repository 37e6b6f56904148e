import { createHash } from 'node:crypto';
import type { CSIDriver, Node, Pod, VolumeAttachment } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { ClaimView, VolumeView } from './claim-facts.ts';

export type AttachmentView = DeepReadonly<VolumeAttachment>;

/** The name by which kubelet and attachers know an attachment. */
export const attachmentName = (o: { volumeHandle: string; driver: string; node: string }): string =>
  `csi-${createHash('sha256').update(`${o.volumeHandle}${o.driver}${o.node}`).digest('hex')}`;

const nameForm = /^csi-[0-9a-f]{64}$/;
/** Attachments that others made under names of their own are theirs to delete. */
export const isControlled = (attachment: AttachmentView): boolean => nameForm.test(attachment.metadata?.name ?? '');

/** As in `node.status.volumesInUse` and `volumesAttached`. */
export const uniqueVolumeName = (volume: VolumeView): string =>
  `kubernetes.io/csi/${volume.spec?.csi?.driver ?? ''}^${volume.spec?.csi?.volumeHandle ?? ''}`;

/** The volume of an attachment, if the node tells that it uses it. Told by the attachment's name alone: its PersistentVolume may be gone. */
export function volumeInUse(node: DeepReadonly<Node> | undefined, attachment: AttachmentView): string | undefined {
  const start = 'kubernetes.io/csi/';
  return node?.status?.volumesInUse?.find((volume) => {
    const split = volume.indexOf('^');
    if (!volume.startsWith(start) || split < 0) return false;
    const facts = {
      driver: volume.slice(start.length, split),
      volumeHandle: volume.slice(split + 1),
      node: attachment.spec?.nodeName ?? '',
    };
    return attachmentName(facts) === attachment.metadata?.name;
  });
}

/** A volume that one node at a time can have. */
export const isExclusive = (volume: VolumeView): boolean =>
  !(volume.spec?.accessModes ?? []).some((mode) => mode === 'ReadWriteMany' || mode === 'ReadOnlyMany');

export interface WantedVolume {
  readonly attachment: string;
  readonly volume: VolumeView;
  /** Pods of the node that use it. */
  readonly pods: readonly DeepReadonly<Pod>[];
}

/** Which volumes have to be attached to a node for its pods, by the name of the attachment. */
export function wantedVolumes(
  node: string,
  pods: readonly DeepReadonly<Pod>[],
  o: {
    readonly claimsOf: (pod: DeepReadonly<Pod>) => readonly ClaimView[];
    readonly volume: (name: string) => VolumeView | undefined;
    readonly driver: (name: string) => DeepReadonly<CSIDriver> | undefined;
  },
): ReadonlyMap<string, WantedVolume> {
  const wanted = new Map<string, WantedVolume>();
  for (const pod of pods) {
    for (const claim of o.claimsOf(pod)) {
      const name = claim.spec?.volumeName ?? '';
      const volume = name === '' || claim.status?.phase !== 'Bound' ? undefined : o.volume(name);
      const csi = volume?.spec?.csi;
      if (volume === undefined || csi === undefined || volume.spec?.claimRef?.uid !== claim.metadata?.uid) continue;
      if (o.driver(csi.driver)?.spec?.attachRequired === false) continue;
      const attachment = attachmentName({ volumeHandle: csi.volumeHandle, driver: csi.driver, node });
      wanted.set(attachment, { attachment, volume, pods: [...(wanted.get(attachment)?.pods ?? []), pod] });
    }
  }
  return wanted;
}

/** Upstream's time for a node that is not healthy to let go of a volume by itself. */
export const maxWaitForUnmountMs = 360_000;

export type DetachVerdict = { readonly detach: true } | { readonly detach: false; readonly retryMs: number };

/**
 * Whether a volume that no pod of the node needs may be taken from it; `inUse` is its name if the node uses it. One that the node still has mounted stays, until the node is
 * marked as out of service (KEP-2268), or was not healthy for six minutes: it may still write.
 */
export function mayDetach(node: DeepReadonly<Node> | undefined, inUse: string | undefined, unwantedForMs: number): DetachVerdict {
  if (node !== undefined && inUse === undefined) return { detach: true };
  if (node?.spec?.taints?.some((t) => t.key === 'node.kubernetes.io/out-of-service') === true) return { detach: true };
  const isHealthy = node?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
  if (!isHealthy && unwantedForMs >= maxWaitForUnmountMs) return { detach: true };
  return { detach: false, retryMs: isHealthy ? maxWaitForUnmountMs : Math.max(1, maxWaitForUnmountMs - unwantedForMs) };
}
