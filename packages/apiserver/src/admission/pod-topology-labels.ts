import { node, type Node } from '@skiff/api';
import type { KubeObject } from '@skiff/apimachinery';
import type { ObjectAccess } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';

const topologyLabels = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

interface MaybeBound extends KubeObject {
  readonly spec?: { readonly nodeName?: string };
  readonly target?: { readonly kind?: string; readonly name?: string };
}

/** A pod carries the zone and region of its node, for the downward API (KEP-4742): given with the node, over what it said itself. */
export const podTopologyLabels = (objects: ObjectAccess): AdmissionPlugin => ({
  name: 'PodTopologyLabels',
  handles: (r) => r.operation === 'CREATE' && (isFor(r, '', 'pods') || isFor(r, '', 'pods', 'binding')),
  mutate: (r) => {
    const object = r.object as MaybeBound;
    const { target } = object;
    const nodeName = r.subresource === '' ? object.spec?.nodeName : target?.kind === 'Node' ? target.name : undefined;
    const labels = nodeName ? objects.get<Node>(node, '', nodeName)?.metadata?.labels : undefined;
    const wanted = Object.entries(labels ?? {}).filter(([key]) => topologyLabels.includes(key));
    if (wanted.length === 0) return;
    const meta = (object.metadata ??= {});
    meta.labels = { ...meta.labels, ...Object.fromEntries(wanted) };
  },
});
