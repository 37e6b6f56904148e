import type { RequestInfo } from '../contract.ts';
import { requiredFieldValue } from '../request/request-info.ts';

const keyOf = (info: RequestInfo, namespace: string, name: string): string => `${info.group}/${info.resource}/${namespace}/${name}`;

/** How many watches there are of what: of a resource, of one namespace of it, of one object. */
export class WatchCounts {
  readonly #counts = new Map<string, number>();

  /** Counts a watch until disposed. Those of the pods of one node are not counted: a change concerns hardly any of them. */
  add(info: RequestInfo): Disposable | undefined {
    if (info.resource === 'pods' && (requiredFieldValue(info.fieldSelector ?? '', 'spec.nodeName') ?? '') !== '') return undefined;
    const key = keyOf(info, info.namespace, info.name);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#counts.get(key) ?? 0) - 1;
        if (left > 0) this.#counts.set(key, left);
        else this.#counts.delete(key);
      },
    };
  }

  /** Those that a write may concern. */
  interestedIn(info: RequestInfo): number {
    if (this.#counts.size === 0) return 0;
    let found = this.#counts.get(keyOf(info, '', '')) ?? 0;
    if (info.namespace !== '') found += this.#counts.get(keyOf(info, info.namespace, '')) ?? 0;
    if (info.name !== '') found += this.#counts.get(keyOf(info, info.namespace, info.name)) ?? 0;
    return found;
  }
}
