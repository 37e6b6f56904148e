import { csiNode as csiNodes, node as nodes, type CSINode, type CSINodeDriver, type Node } from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { CsiNodeRecord } from './csi-drivers.ts';
import type { NodeInfo } from './csi-node-service.ts';

/** The driver's own name of the node, for those who attach volumes from elsewhere. */
const nodeIdAnnotation = 'csi.volume.kubernetes.io/nodeid';

const renderDriver = (name: string, info: NodeInfo): CSINodeDriver => ({
  name,
  nodeID: info.nodeId,
  topologyKeys: Object.keys(info.topology).sort(),
  ...(info.maxVolumesPerNode > 0 ? { allocatable: { count: info.maxVolumesPerNode } } : {}),
});

/** Keeps the CSINode object, and the Node's annotation and labels, in step with the drivers of this node. */
export function createCsiNodeObject(
  config: { readonly nodeName: string },
  deps: { client: Client; node: () => DeepReadonly<Node> | undefined },
): CsiNodeRecord & { ensure(): Promise<void> } {
  const { client } = deps;
  const { nodeName } = config;
  const key = { name: nodeName };

  const blank = (): CSINode => {
    const uid = deps.node()?.metadata?.uid;
    if (uid === undefined) throw new Error('the node is not registered yet');
    return {
      metadata: { name: nodeName, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid }] },
      spec: { drivers: [] },
    };
  };
  /** Compare-and-set, as often as it takes: who else writes it is the owner's own kubectl. */
  const change = async (edit: (drivers: readonly CSINodeDriver[]) => CSINodeDriver[]): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      try {
        const present = await client.get(csiNodes, key).catch((error: unknown) => {
          if (hasReason(error, 'NotFound')) return undefined;
          throw error;
        });
        if (present === undefined) {
          const made = blank();
          await client.create(csiNodes, { ...made, spec: { drivers: edit([]) } });
          return;
        }
        const drivers = edit(present.spec?.drivers ?? []);
        if (JSON.stringify(drivers) !== JSON.stringify(present.spec?.drivers ?? []))
          await client.update(csiNodes, { ...present, spec: { drivers } });
        return;
      } catch (error) {
        if (attempt >= 5 || !(hasReason(error, 'Conflict') || hasReason(error, 'AlreadyExists'))) throw error;
      }
    }
  };
  const annotate = async (driver: string, nodeId: string | undefined, labels: Readonly<Record<string, string>>): Promise<void> => {
    const present = await client.get(nodes, key);
    const ids = JSON.parse(present.metadata?.annotations?.[nodeIdAnnotation] ?? '{}') as Record<string, string>;
    if (nodeId === undefined) delete ids[driver];
    else ids[driver] = nodeId;
    const value = Object.keys(ids).length === 0 ? null : JSON.stringify(ids);
    for (const [label, wanted] of Object.entries(labels)) {
      const now = present.metadata?.labels?.[label];
      if (now !== undefined && now !== wanted)
        throw new Error(
          `detected topology value collision: driver reported "${label}":"${wanted}" but existing label is "${label}":"${now}"`,
        );
    }
    await client.patch(nodes, key, { type: 'strategic', body: { metadata: { annotations: { [nodeIdAnnotation]: value }, labels } } });
  };
  return {
    ensure: () => change((drivers) => [...drivers]),
    install: async (driver, info) => {
      await annotate(driver, info.nodeId, info.topology);
      await change((drivers) => [...drivers.filter((d) => d.name !== driver), renderDriver(driver, info)]);
    },
    uninstall: async (driver) => {
      await change((drivers) => drivers.filter((d) => d.name !== driver));
      await annotate(driver, undefined, {});
    },
  };
}
