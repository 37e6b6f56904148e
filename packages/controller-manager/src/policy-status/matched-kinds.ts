import type { ValidatingAdmissionPolicy } from '@skiff/api';
import { type DeepReadonly, formatGroupVersion } from '@skiff/apimachinery';
import type { KnownTypes } from './known-types.ts';

/** More kinds of one rule are not looked at. */
const maxKinds = 10;

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** As upstream prints it. */
export const kindName = ({ group, version, kind }: Kind): string =>
  `${group === '' ? `/${version}` : formatGroupVersion(group, version)}, Kind=${kind}`;

const order = (a: Kind, b: Kind): number => {
  const [x, y] = [a, b].map((k) => [k.group, k.version, k.kind]) as [string[], string[]];
  const i = x.findIndex((text, n) => text !== y[n]);
  return i < 0 ? 0 : (x[i] ?? '') < (y[i] ?? '') ? -1 : 1;
};

/** The kinds whose objects a policy is about, in order: those that its rules name without wildcards. */
export async function matchedKinds(policy: DeepReadonly<ValidatingAdmissionPolicy>, known: KnownTypes): Promise<readonly Kind[]> {
  const found = new Map<string, Kind>();
  for (const { apiGroups = [], apiVersions = [], resources = [] } of policy.spec?.matchConstraints?.resourceRules ?? []) {
    if ([...apiGroups, ...apiVersions].some((text) => text.includes('*'))) continue;
    let count = 0;
    const plain = resources.filter((text) => !/[*/]/.test(text));
    for (const group of [...apiGroups].sort()) {
      for (const version of [...apiVersions].sort()) {
        for (const plural of [...plain].sort()) {
          for (const kind of await known.kindsOf(group, version, plural)) {
            found.set(kindName(kind), kind);
            if (++count === maxKinds) return [...found.values()].sort(order);
          }
        }
      }
    }
  }
  return [...found.values()].sort(order);
}
