import type { ResourceDefinition } from '@skiff/apimachinery';
import type { HeavyForms } from '../contract.ts';
import { isHeavyValue } from '../heavy/weight.ts';
import type { PrepareForms } from '../storage/log-follower.ts';
import type { ServedForm } from '../storage/stored-entry.ts';
import { apiVersionOf } from './render.ts';
import { storedApiVersion } from './resource-codec.ts';
import { idOf } from './served-codecs.ts';

/**
 * Heavy values are looked at elsewhere before the log applies them, so that no reader here has to. `source`: the JSON of the
 * CustomResourceDefinition that a custom definition was made from.
 */
export function prepareHeavy(formOf: HeavyForms, source: (d: ResourceDefinition) => string | undefined): PrepareForms {
  return (cache, key, value) => {
    if (!isHeavyValue(value) || cache.isOwn(key, value)) return undefined;
    const made = cache.views.map(async ({ definition: d, slot }) => {
      const { custom } = d;
      // A webhook's part can't be done there.
      if (custom?.webhook !== undefined && storedApiVersion(value) !== apiVersionOf(d)) return [slot, undefined] as const;
      return [slot, await formOf(idOf(d), value, custom === undefined ? undefined : source(d))] as const;
    });
    return Promise.all(made).then((pairs) => {
      const forms: (ServedForm | undefined)[] = [];
      for (const [slot, form] of pairs) forms[slot] = form;
      return forms;
    });
  };
}
