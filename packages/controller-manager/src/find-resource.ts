import { builtinResources } from '@skiff/api';
import type { ResourceRef } from '@skiff/apimachinery';
import { type Client, discoverResources } from '@skiff/client';
import type { Clock } from '@skiff/component-base';

/** The resource of a kind; undefined: nobody serves it. */
export type FindResource = (group: string, kind: string, signal: AbortSignal) => Promise<ResourceRef | undefined>;

const maxAgeMs = 5 * 60_000;
/** What is not found is looked for again no more often. */
const minAgeMs = 10_000;

/** Built-in kinds by the table, others by discovery, which is remembered for a while. */
export function createFindResource(deps: { client: Client; clock: Clock }): FindResource {
  let discovered: { readonly atMs: number; readonly resources: readonly ResourceRef[] } | undefined;
  return async (group, kind, signal) => {
    const matches = (r: ResourceRef): boolean => r.kind === kind && r.group === group;
    const builtin = builtinResources.find(matches);
    if (builtin !== undefined) return builtin;
    const found = discovered?.resources.find(matches);
    const ageMs = discovered === undefined ? Infinity : deps.clock.monotonicMs() - discovered.atMs;
    if (ageMs < (found === undefined ? minAgeMs : maxAgeMs)) return found;
    discovered = { atMs: deps.clock.monotonicMs(), resources: (await discoverResources(deps.client, signal)).resources };
    return discovered.resources.find(matches);
  };
}
