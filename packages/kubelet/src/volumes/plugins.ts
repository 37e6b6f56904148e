import { csi } from './plugins/csi.ts';
import { emptyDir } from './plugins/empty-dir.ts';
import { hostPath } from './plugins/host-path.ts';
import { image } from './plugins/image.ts';
import { nfs } from './plugins/nfs.ts';
import { configMap, downwardAPI, secret } from './plugins/payload-volumes.ts';
import { ephemeral, persistentVolumeClaim } from './plugins/persistent-volume-claim.ts';
import { projected } from './plugins/projected.ts';
import type { VolumeKind, VolumePlugin, VolumePlugins } from './volume-plugin.ts';

/** A kind that this kubelet can't mount: the pod waits, and an event says why. */
function unsupported<Source>(kind: VolumeKind): VolumePlugin<Source> {
  return {
    name: kind,
    refreshes: false,
    setUp: async () => {
      throw new Error(`volumes of type ${kind} are not supported by this kubelet`);
    },
  };
}

export const volumePlugins: VolumePlugins = {
  emptyDir,
  hostPath,
  image,
  configMap,
  secret,
  downwardAPI,
  projected,
  gcePersistentDisk: unsupported('gcePersistentDisk'),
  awsElasticBlockStore: unsupported('awsElasticBlockStore'),
  gitRepo: unsupported('gitRepo'),
  nfs,
  iscsi: unsupported('iscsi'),
  glusterfs: unsupported('glusterfs'),
  persistentVolumeClaim,
  rbd: unsupported('rbd'),
  flexVolume: unsupported('flexVolume'),
  cinder: unsupported('cinder'),
  cephfs: unsupported('cephfs'),
  flocker: unsupported('flocker'),
  fc: unsupported('fc'),
  azureFile: unsupported('azureFile'),
  vsphereVolume: unsupported('vsphereVolume'),
  quobyte: unsupported('quobyte'),
  azureDisk: unsupported('azureDisk'),
  photonPersistentDisk: unsupported('photonPersistentDisk'),
  portworxVolume: unsupported('portworxVolume'),
  scaleIO: unsupported('scaleIO'),
  storageos: unsupported('storageos'),
  csi,
  ephemeral,
};
