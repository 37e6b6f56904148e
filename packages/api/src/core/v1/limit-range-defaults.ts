import type { LimitRange } from '../../generated/types/core-v1.ts';

/** For containers: the default limit is the maximum, the default request is the default limit, else the minimum. */
export function defaultLimitRange(range: LimitRange): void {
  for (const item of range.spec?.limits ?? []) {
    if (item.type !== 'Container') continue;
    item.default = { ...item.max, ...item.default };
    item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
  }
}
