import type { Node, PersistentVolume } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { annotations, classNameOf, type ClaimView, type ClassView, type VolumeView } from '../claim-facts.ts';

/** Name of the provisioner that Skiff brings: directories on the nodes' own disks. */
export const localPathProvisioner = 'local-path.skiff.dev';
/** Keeps a volume's object until its directory is gone. */
export const localPathFinalizer = 'local-path.skiff.dev/directory';

const hostnameLabel = 'kubernetes.io/hostname';

export const isOurs = (volume: VolumeView): boolean => volume.metadata?.annotations?.[annotations.provisionedBy] === localPathProvisioner;

/** The node that a volume of ours lies on. */
export const nodeOf = (volume: VolumeView): string | undefined =>
  volume.spec?.nodeAffinity?.required?.nodeSelectorTerms[0]?.matchFields?.find((f) => f.key === 'metadata.name')?.values?.[0];

/** Why such a volume can't be made; undefined: it can. */
export function whyRefused(claim: ClaimView, storageClass: ClassView): string | undefined {
  const spec = claim.spec ?? {};
  const shared = (spec.accessModes ?? []).filter((m) => m !== 'ReadWriteOnce' && m !== 'ReadWriteOncePod');
  if (shared.length > 0) return `access mode ${shared.join(', ')} is not supported: the volume is a directory of one node`;
  if (spec.volumeMode === 'Block') return 'volumeMode Block is not supported: the volume is a directory';
  if (spec.selector !== undefined) return 'a selector is not supported: the volume is a new one';
  if (spec.dataSourceRef !== undefined || spec.dataSource !== undefined) return 'a dataSource is not supported';
  const [parameter] = Object.keys(storageClass.parameters ?? {});
  return parameter === undefined
    ? undefined
    : `parameter "${parameter}" of StorageClass "${storageClass.metadata?.name ?? ''}" is not known`;
}

const isUsable = (node: DeepReadonly<Node>): boolean =>
  node.spec?.unschedulable !== true && node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

/** Whether the class allows the node. */
export function isAllowed(node: DeepReadonly<Node>, storageClass: ClassView): boolean {
  const labels = node.metadata?.labels ?? {};
  const topologies = storageClass.allowedTopologies ?? [];
  if (topologies.length === 0) return true;
  return topologies.some((t) => (t.matchLabelExpressions ?? []).every(({ key, values }) => values.includes(labels[key] ?? '')));
}

/** Where a volume that doesn't wait for its consumer (Immediate) goes: to the usable node with the fewest of them. */
export function chooseNode(
  nodes: readonly DeepReadonly<Node>[],
  storageClass: ClassView,
  volumes: readonly VolumeView[],
): string | undefined {
  const counts = new Map<string, number>();
  for (const v of volumes) {
    const node = isOurs(v) ? nodeOf(v) : undefined;
    if (node !== undefined) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const count = (name: string): number => counts.get(name) ?? 0;
  return nodes
    .filter((n) => isUsable(n) && isAllowed(n, storageClass))
    .map((n) => n.metadata?.name ?? '')
    .sort((a, b) => count(a) - count(b) || a.localeCompare(b))[0];
}

export function renderVolume(
  claim: ClaimView,
  storageClass: ClassView,
  o: { readonly name: string; readonly node: DeepReadonly<Node>; readonly path: string },
): PersistentVolume {
  const { namespace, name, uid, resourceVersion } = claim.metadata ?? {};
  const policy = storageClass.reclaimPolicy ?? 'Delete';
  const hostname = o.node.metadata?.labels?.[hostnameLabel];
  return {
    metadata: {
      name: o.name,
      annotations: { [annotations.provisionedBy]: localPathProvisioner },
      ...(policy === 'Delete' ? { finalizers: [localPathFinalizer] } : {}),
    },
    spec: {
      capacity: { storage: claim.spec?.resources?.requests?.['storage'] ?? '0' },
      accessModes: [...(claim.spec?.accessModes ?? [])],
      persistentVolumeReclaimPolicy: policy,
      storageClassName: classNameOf(claim),
      volumeMode: 'Filesystem',
      ...(storageClass.mountOptions === undefined ? {} : { mountOptions: [...storageClass.mountOptions] }),
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace: namespace ?? '',
        name: name ?? '',
        uid: uid ?? '',
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      local: { path: o.path },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            {
              ...(hostname === undefined ? {} : { matchExpressions: [{ key: hostnameLabel, operator: 'In', values: [hostname] }] }),
              matchFields: [{ key: 'metadata.name', operator: 'In', values: [o.node.metadata?.name ?? ''] }],
            },
          ],
        },
      },
    },
  };
}
