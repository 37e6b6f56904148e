import type { DeepReadonly, FieldManager, KubeObject } from '@skiff/apimachinery';
import { metadataOf } from './object-metadata.ts';

/** Who writes: undefined manager = leave managedFields as they are. */
export interface FieldOwner {
  readonly fields: FieldManager;
  readonly manager: string | undefined;
  readonly now: string;
}

/** Notes in `object` who owns which fields once it replaces `live`. Never fails: ownership must not stand in the way of a write. */
export function recordUpdate(w: FieldOwner, live: DeepReadonly<KubeObject> | undefined, object: KubeObject): void {
  if (w.manager === undefined) return;
  const managedFields = w.fields.update(live, object, { manager: w.manager, now: w.now });
  const meta = metadataOf(object);
  if (managedFields === undefined) delete meta.managedFields;
  else meta.managedFields = managedFields;
}
