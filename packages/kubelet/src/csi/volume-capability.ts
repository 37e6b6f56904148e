import type { CSIDriver } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { CsiNodeService, VolumeCapability } from './csi-node-service.ts';

const accessModes: Readonly<Record<string, readonly [plain: string, multiWriter: string]>> = {
  ReadWriteOnce: ['SINGLE_NODE_WRITER', 'SINGLE_NODE_MULTI_WRITER'],
  ReadWriteOncePod: ['SINGLE_NODE_WRITER', 'SINGLE_NODE_SINGLE_WRITER'],
  ReadOnlyMany: ['MULTI_NODE_READER_ONLY', 'MULTI_NODE_READER_ONLY'],
  ReadWriteMany: ['MULTI_NODE_MULTI_WRITER', 'MULTI_NODE_MULTI_WRITER'],
};

export async function renderCapability(
  service: CsiNodeService,
  o: { accessMode: string; isBlock: boolean; fsType: string; mountFlags: readonly string[]; group: number | undefined },
): Promise<VolumeCapability> {
  const modes = accessModes[o.accessMode];
  if (modes === undefined) throw new Error(`access mode "${o.accessMode}" is not known`);
  const accessMode = { mode: modes[(await service.has('SINGLE_NODE_MULTI_WRITER')) ? 1 : 0] };
  if (o.isBlock) return { block: {}, accessMode };
  const volumeMountGroup = o.group === undefined ? '' : String(o.group);
  return { mount: { fsType: o.fsType, mountFlags: o.mountFlags, volumeMountGroup }, accessMode };
}

/** Whether the kubelet gives the files to fsGroup, by the driver's policy. */
export function isGivenToGroup(
  driver: DeepReadonly<CSIDriver> | undefined,
  o: { fsType: string; accessModes: readonly string[]; readOnly: boolean },
): boolean {
  const policy = driver?.spec?.fsGroupPolicy ?? 'ReadWriteOnceWithFSType';
  if (o.readOnly || policy === 'None') return false;
  return policy === 'File' || (o.fsType !== '' && o.accessModes.includes('ReadWriteOnce'));
}
