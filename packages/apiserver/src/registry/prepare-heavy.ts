import type { ResourceDefinition } from '@skiff/apimachinery';
import type { HeavyForms } from '../contract.ts';
import { isHeavyValue } from '../heavy/weight.ts';
import type { PrepareForms } from '../storage/log-follower.ts';
import { idOf } from './served-codecs.ts';

/**
 * Heavy values are looked at elsewhere before the log applies them, so that no reader here has to. `source`: the JSON of the
 * CustomResourceDefinition that a custom definition was made from.
 */
export function prepareHeavy(formOf: HeavyForms, source: (d: ResourceDefinition) => string | undefined): PrepareForms {
  return (cache, key, value) => {
    if (!isHeavyValue(value) || cache.isOwn(key, value)) return undefined;
    return Promise.all(cache.views.map(({ definition: d }) => formOf(idOf(d), value, d.custom === undefined ? undefined : source(d))));
  };
}
