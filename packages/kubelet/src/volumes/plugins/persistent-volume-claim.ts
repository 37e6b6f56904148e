import type { EphemeralVolumeSource, PersistentVolumeClaimVolumeSource } from '@skiff/api';
import type { VolumePlugin } from '../volume-plugin.ts';

/** What a claim is bound to. */
export const persistentVolumeClaim: VolumePlugin<PersistentVolumeClaimVolumeSource> = {
  name: 'persistentvolumeclaim',
  refreshes: false,
  setUp: (source, context) =>
    context.persistent.mount({ claimName: source.claimName, isEphemeral: false, readOnly: source.readOnly === true }, context),
};

/** A claim that the cluster made for this pod alone, named after it (KEP-1698). */
export const ephemeral: VolumePlugin<EphemeralVolumeSource> = {
  name: 'ephemeral',
  refreshes: false,
  setUp: (_, context) =>
    context.persistent.mount({ claimName: `${context.pod.metadata.name}-${context.name}`, isEphemeral: true, readOnly: false }, context),
};
