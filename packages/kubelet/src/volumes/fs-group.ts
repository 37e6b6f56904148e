import type { HostMount } from '../host/host-mount.ts';
import { belongsToGroup, giveToGroup } from '../host/safe-tree.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';

/** Gives a volume that the pod may write to its fsGroup, unless its root shows that this was done before and the pod takes that. */
export async function applyFsGroup(pod: PodSnapshot, path: string, hostMount: HostMount): Promise<void> {
  const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
  if (fsGroup === undefined) return;
  const owner = { gid: fsGroup, readOnly: false };
  const root = hostMount.local(path);
  if (fsGroupChangePolicy === 'OnRootMismatch' && (await belongsToGroup(root, owner))) return;
  await giveToGroup(root, owner);
}
