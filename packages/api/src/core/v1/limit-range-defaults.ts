import type { LimitRange } from '../../generated/types/core-v1.ts';
import { roundResources } from './resource-list.ts';

/** For containers: the default limit is the maximum, the default request is the default limit, else the minimum. */
export function defaultLimitRange(range: LimitRange): void {
  for (const item of range.spec?.limits ?? []) {
    if (item.type === 'Container') {
      item.default = { ...item.max, ...item.default };
      item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
    }
    for (const list of [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio]) roundResources(list);
  }
}
