import type { Pod } from '@skiff/api';
import { type DeepReadonly, FieldErrors, formatFieldError } from '@skiff/apimachinery';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

type Spec = NonNullable<Pod['spec']>;
const lists = ['initContainers', 'containers', 'ephemeralContainers'] as const;
const imagesOf = (spec: DeepReadonly<Spec> | undefined): (string | undefined)[] =>
  lists.flatMap((l) => (spec?.[l] ?? []).map((c) => c.image));

/** Every image is pulled anew, so that who may not pull it can't use what another's pod left on the node. Off by default. */
export const alwaysPullImages: AdmissionPlugin = {
  name: 'AlwaysPullImages',
  handles: (r) => {
    if (!isFor(r, '', 'pods') || (r.operation !== 'CREATE' && r.operation !== 'UPDATE')) return false;
    if (r.operation === 'CREATE') return true;
    const had = new Set(imagesOf((r.oldObject as unknown as DeepReadonly<Pod> | null)?.spec));
    return imagesOf((r.object as unknown as Pod).spec).some((image) => !had.has(image));
  },
  mutate: (r) => {
    const { spec } = r.object as unknown as Pod;
    for (const list of lists) for (const c of spec?.[list] ?? []) c.imagePullPolicy = 'Always';
    for (const v of spec?.volumes ?? []) if (v.image !== undefined) v.image.pullPolicy = 'Always';
  },
  validate: (r) => {
    const { spec } = r.object as unknown as Pod;
    const errors = new FieldErrors();
    const check = (path: string, policy: string | undefined): void => {
      if (policy !== 'Always') errors.notSupported(path, policy ?? '', ['Always']);
    };
    for (const list of lists)
      for (const [i, c] of (spec?.[list] ?? []).entries()) check(`spec.${list}[${i}].imagePullPolicy`, c.imagePullPolicy);
    for (const [i, v] of (spec?.volumes ?? []).entries())
      if (v.image !== undefined) check(`spec.volumes[${i}].image.pullPolicy`, v.image.pullPolicy);
    const [first] = errors.list;
    if (first !== undefined) throw refuse(r, formatFieldError(first));
  },
};
