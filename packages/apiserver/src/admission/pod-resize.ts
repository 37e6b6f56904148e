import { addResources, node, type Node, podResourceTotals, type Pod } from '@skiff/api';
import { type DeepReadonly, quantityMilliValue, quantityValue, StatusError } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

function refuseBecause(r: AdmissionRequest, why: string, reason: string): StatusError {
  const error = refuse(r, why);
  return new StatusError('Forbidden', error.message, { details: { ...error.details, causes: [{ reason }] } });
}

/** A pod on a node is resized only to what the node has at all (KEP-1287). */
export const podResizeValidator = (objects: ObjectAccess): AdmissionPlugin => ({
  name: 'PodResizeValidator',
  handles: (r) => r.operation === 'UPDATE' && isFor(r, '', 'pods', 'resize'),
  validate: (r) => {
    const [wanted, old] = [r.object, r.oldObject] as unknown as readonly [Pod, DeepReadonly<Pod>];
    const name = wanted.spec?.nodeName ?? '';
    if (name === '' || old.metadata?.generation === wanted.metadata?.generation) return;
    const found = objects.get<Node>(node, '', name);
    if (found === undefined) throw refuse(r, `node ${JSON.stringify(name)} not found`);
    const os = found.metadata?.labels?.['kubernetes.io/os'] ?? 'linux';
    if (os !== 'linux') {
      const why = `pod resize is only supported on linux nodes, node ${JSON.stringify(name)} is ${JSON.stringify(os)}`;
      throw refuseBecause(r, why, 'UnsupportedPlatform');
    }
    const requests = addResources(podResourceTotals(wanted, 'requests', { actual: false }), wanted.spec?.overhead ?? {});
    const parts = (['cpu', 'memory'] as const).flatMap((resource) => {
      const value = resource === 'cpu' ? quantityMilliValue : quantityValue;
      const [requested, allocatable] = [value(requests[resource] ?? '0'), value(found.status?.allocatable?.[resource] ?? '0')];
      return requested > allocatable ? [`${resource}, requested: ${requested}, allocatable: ${allocatable}`] : [];
    });
    if (parts.length > 0) {
      throw refuseBecause(r, `node didn't have enough allocatable resources: ${parts.join('; ')}`, 'NodeCapacity');
    }
  },
});
