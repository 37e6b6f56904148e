import { openPluginChannel, type PluginChannel } from './channel.ts';
import { loadPluginServices } from './definition.ts';

export type NodeCapability =
  | 'STAGE_UNSTAGE_VOLUME'
  | 'GET_VOLUME_STATS'
  | 'EXPAND_VOLUME'
  | 'SINGLE_NODE_MULTI_WRITER'
  | 'VOLUME_MOUNT_GROUP';

export interface VolumeCapability {
  readonly block?: object;
  readonly mount?: { readonly fsType: string; readonly mountFlags: readonly string[]; readonly volumeMountGroup: string };
  readonly accessMode: { readonly mode: string };
}
type Strings = Readonly<Record<string, string>>;

export interface NodeInfo {
  readonly nodeId: string;
  /** 0: no limit. */
  readonly maxVolumesPerNode: number;
  readonly topology: Strings;
}
export interface VolumeUsage {
  readonly available: number;
  readonly total: number;
  readonly used: number;
  readonly unit: 'UNKNOWN' | 'BYTES' | 'INODES';
}

/** CSI's Node service of one driver. Calls throw PluginError. */
export interface CsiNodeService extends Disposable {
  getInfo(): Promise<NodeInfo>;
  has(capability: NodeCapability): Promise<boolean>;
  stage(o: {
    volumeId: string;
    publishContext: Strings;
    stagingTargetPath: string;
    volumeCapability: VolumeCapability;
    secrets: Strings;
    volumeContext: Strings;
  }): Promise<void>;
  unstage(o: { volumeId: string; stagingTargetPath: string }): Promise<void>;
  publish(o: {
    volumeId: string;
    publishContext: Strings;
    stagingTargetPath: string;
    targetPath: string;
    volumeCapability: VolumeCapability;
    readonly: boolean;
    secrets: Strings;
    volumeContext: Strings;
  }): Promise<void>;
  unpublish(o: { volumeId: string; targetPath: string }): Promise<void>;
  /** Returns the size afterwards; 0: the driver does not say. */
  expand(o: {
    volumeId: string;
    volumePath: string;
    stagingTargetPath: string;
    requiredBytes: number;
    volumeCapability: VolumeCapability;
    secrets: Strings;
  }): Promise<number>;
  stats(o: { volumeId: string; volumePath: string; stagingTargetPath: string }): Promise<readonly VolumeUsage[]>;
}

/** Upstream's time for one call. */
const timeoutMs = 120_000;
const shortMs = 15_000;

export async function openCsiNode(socketPath: string): Promise<CsiNodeService> {
  const channel: PluginChannel = await openPluginChannel(socketPath, (await loadPluginServices()).node);
  let capabilities: Promise<ReadonlySet<string>> | undefined;
  const readCapabilities = async (): Promise<ReadonlySet<string>> => {
    const answer = await channel.call<{ capabilities: readonly { rpc?: { type: string } }[] }>(
      'NodeGetCapabilities',
      {},
      { timeoutMs: shortMs },
    );
    return new Set(answer.capabilities.map((c) => c.rpc?.type ?? ''));
  };
  return {
    getInfo: async () => {
      const { nodeId, maxVolumesPerNode, accessibleTopology } = await channel.call<{
        nodeId: string;
        maxVolumesPerNode: number;
        accessibleTopology: { segments: Strings } | null;
      }>('NodeGetInfo', {}, { timeoutMs: shortMs });
      return { nodeId, maxVolumesPerNode, topology: accessibleTopology?.segments ?? {} };
    },
    has: async (capability) => {
      capabilities ??= readCapabilities().catch((error: unknown) => {
        capabilities = undefined;
        throw error;
      });
      return (await capabilities).has(capability);
    },
    stage: async (o) => void (await channel.call('NodeStageVolume', o, { timeoutMs })),
    unstage: async (o) => void (await channel.call('NodeUnstageVolume', o, { timeoutMs })),
    publish: async (o) => void (await channel.call('NodePublishVolume', o, { timeoutMs })),
    unpublish: async (o) => void (await channel.call('NodeUnpublishVolume', o, { timeoutMs })),
    expand: async ({ requiredBytes, ...rest }) => {
      const request = { ...rest, capacityRange: { requiredBytes, limitBytes: 0 } };
      return (await channel.call<{ capacityBytes: number }>('NodeExpandVolume', request, { timeoutMs })).capacityBytes;
    },
    stats: async (o) => (await channel.call<{ usage: readonly VolumeUsage[] }>('NodeGetVolumeStats', o, { timeoutMs: shortMs })).usage,
    [Symbol.dispose]: () => channel[Symbol.dispose](),
  };
}
