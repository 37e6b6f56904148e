import { endpointSlice } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import type { ReconcileContext } from '@skiff/client';
import { isNamespaceTerminating } from '../pods/pod-control.ts';
import type { SlicePlan } from './plan-slices.ts';

/** New and changed slices first: an endpoint may for a moment stand in two, but never in none. */
export async function applySlicePlan(plan: SlicePlan, { client, signal }: Pick<ReconcileContext, 'client' | 'signal'>): Promise<void> {
  for (const slice of plan.create) {
    try {
      await client.create(endpointSlice, slice, { signal });
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error;
      return;
    }
  }
  for (const slice of plan.update) await client.update(endpointSlice, slice, { signal });
  for (const slice of plan.remove) {
    const { namespace = '', name = '', uid = '' } = slice.metadata ?? {};
    try {
      await client.delete(endpointSlice, { namespace, name }, { preconditions: { uid }, signal });
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    }
  }
}
