import type { DeepReadonly, KubeObject, ManagedFieldsEntry } from '@skiff/apimachinery';
import { metadataOf } from './object-metadata.ts';
import type { WriteContext } from './write-context.ts';

/** Notes in `object` who set which fields, against the live object. Never fails: ownership must not stand in the way of a write. */
export function recordUpdate(w: WriteContext, live: DeepReadonly<KubeObject> | undefined, object: KubeObject): void {
  const meta = metadataOf(object);
  if (w.manager === undefined) return;
  if (live?.metadata?.managedFields === undefined) delete meta.managedFields;
  else meta.managedFields = structuredClone(live.metadata.managedFields) as ManagedFieldsEntry[];
}
