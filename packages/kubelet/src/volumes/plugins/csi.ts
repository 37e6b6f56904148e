import type { CSIVolumeSource } from '@skiff/api';
import type { VolumePlugin } from '../volume-plugin.ts';

/** A volume of a CSI driver that has the pod's life (KEP-596). */
export const csi: VolumePlugin<CSIVolumeSource> = {
  name: 'csi',
  // Tokens are renewed, and some drivers are to be asked again and again.
  refreshes: true,
  setUp: (source, context) => context.persistent.mountInline(source, context),
};
