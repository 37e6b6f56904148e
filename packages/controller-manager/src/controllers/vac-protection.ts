import {
  persistentVolume as volumes,
  persistentVolumeClaim as claims,
  volumeAttributesClass as classes,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type VolumeAttributesClass,
} from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, mapped, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';

const finalizer = 'kubernetes.io/vac-protection';
const nameIndex = 'volumeAttributesClass';

/** What a claim has, wants, and is on its way to. */
const namesOfClaim = ({ spec, status }: DeepReadonly<PersistentVolumeClaim>): readonly string[] =>
  [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter((name): name is string => name !== undefined && name !== '');
const namesOfVolume = ({ spec }: DeepReadonly<PersistentVolume>): readonly string[] =>
  spec?.volumeAttributesClassName === undefined || spec.volumeAttributesClassName === '' ? [] : [spec.volumeAttributesClassName];

/** Keeps a VolumeAttributesClass that is being deleted as long as claims or volumes name it. */
export const vacProtectionController: ControllerDescriptor = {
  name: 'volumeattributesclass-protection-controller',
  define: () =>
    defineController({
      name: 'volumeattributesclass-protection-controller',
      concurrency: 1,
      sources: [primary(classes), mapped(claims, namesOfClaim), mapped(volumes, namesOfVolume)],
      create: ({ informers }) => {
        const classInformer = informers.informer(classes);
        const claimInformer = informers.informer(claims);
        const volumeInformer = informers.informer(volumes);
        claimInformer.addIndex(nameIndex, namesOfClaim);
        volumeInformer.addIndex(nameIndex, namesOfVolume);
        return async (key, { client, signal }) => {
          const found = classInformer.get(key);
          if (found === undefined) return;
          const finalizers = found.metadata?.finalizers ?? [];
          const ends = found.metadata?.deletionTimestamp !== undefined;
          const has = finalizers.includes(finalizer);
          if (ends !== has) return;
          if (ends) {
            if (claimInformer.byIndex(nameIndex, key.name).length + volumeInformer.byIndex(nameIndex, key.name).length > 0) return;
            // The cache may not know the newest claim.
            const [allClaims, allVolumes] = await Promise.all([
              client.list(claims, undefined, { signal }),
              client.list(volumes, undefined, { signal }),
            ]);
            if (
              allClaims.items.some((c) => namesOfClaim(c).includes(key.name)) ||
              allVolumes.items.some((v) => namesOfVolume(v).includes(key.name))
            )
              return;
          }
          const draft = structuredClone(found) as VolumeAttributesClass;
          draft.metadata = { ...draft.metadata, finalizers: ends ? finalizers.filter((f) => f !== finalizer) : [...finalizers, finalizer] };
          try {
            await client.update(classes, draft, { signal });
          } catch (error) {
            if (!hasReason(error, 'NotFound')) throw error;
          }
        };
      },
    }),
};
