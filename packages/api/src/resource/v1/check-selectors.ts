import type { DeepReadonly, FieldErrors, StrategyContext } from '@skiff/apimachinery';
import type { DeviceClaim, DeviceSelector } from '../../generated/types/resource-v1.ts';

const maxBytes = 10 * 1024;
/** Longer lists are refused for their length. What is beyond isn't compiled. */
const max = { requests: 32, alternatives: 8, selectors: 32 };

interface Place {
  readonly selectors: readonly DeepReadonly<DeviceSelector>[] | undefined;
  readonly path: string;
}

/** The selectors of a claim's requests and their alternatives; `path` is where its `devices` are. */
export const selectorsOfClaim = (claim: DeepReadonly<DeviceClaim> | undefined, path: string): Place[] =>
  (claim?.requests ?? []).slice(0, max.requests).flatMap(({ exactly, firstAvailable }, i) => [
    { selectors: exactly?.selectors, path: `${path}.requests[${i}].exactly.selectors` },
    ...(firstAvailable ?? []).slice(0, max.alternatives).map((a, j) => ({
      selectors: a.selectors,
      path: `${path}.requests[${i}].firstAvailable[${j}].selectors`,
    })),
  ]);

/** Compiles the expressions that select devices, one in each step. */
export function* checkSelectors(
  places: readonly Place[],
  errors: FieldErrors,
  { deviceSelector }: Pick<StrategyContext, 'deviceSelector'>,
): Generator<void, void> {
  for (const { selectors, path } of places) {
    for (const [i, { cel }] of (selectors ?? []).slice(0, max.selectors).entries()) {
      if (cel === undefined) continue;
      const [at, expression] = [`${path}[${i}].cel.expression`, cel.expression ?? ''];
      if (Buffer.byteLength(expression) > maxBytes) {
        errors.tooLong(at, maxBytes);
        continue;
      }
      if (deviceSelector === undefined) throw new Error('selectors of devices are validated where expressions can be compiled');
      const { invalid, forbidden } = deviceSelector(expression);
      if (invalid !== undefined) errors.invalid(at, expression, invalid);
      else if (forbidden !== undefined) errors.forbidden(at, forbidden);
      yield;
    }
  }
}
