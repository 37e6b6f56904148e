import { isStatusError, type ResourceDefinition } from '@skiff/apimachinery';
import type { ObjectAccess } from '../../contract.ts';
import type { ServiceCIDR } from './ip-allocator.ts';

/** The object that shows the configured ranges; upstream's has the same name. */
export async function ensureDefaultServiceCIDR(
  cidrs: readonly string[],
  deps: { definition: ResourceDefinition<ServiceCIDR>; objects: ObjectAccess; now: string },
): Promise<void> {
  const { definition, objects } = deps;
  const name = 'kubernetes';
  if ((await objects.read(definition, '', name)) === undefined) {
    try {
      await objects.create(definition, { metadata: { name }, spec: { cidrs: [...cidrs] } });
    } catch (error) {
      if (!isStatusError(error) || error.reason !== 'AlreadyExists') throw error;
    }
  }
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: '',
    message: 'Kubernetes default Service CIDR is ready',
    lastTransitionTime: deps.now,
  };
  await objects.update(
    definition,
    '',
    name,
    (draft) => {
      if ((draft.status?.conditions ?? []).some((c) => c.type === 'Ready' && c.status === 'True')) return undefined;
      draft.status = { ...draft.status, conditions: [...(draft.status?.conditions ?? []).filter((c) => c.type !== 'Ready'), ready] };
      return draft;
    },
    { subresource: 'status' },
  );
}
