import type { SchedulerPlugin } from './plugin.ts';

export interface ProfileEntry {
  readonly plugin: SchedulerPlugin;
  /** How much its score counts. Default 1. */
  readonly weight?: number;
}

type Having<K extends keyof SchedulerPlugin> = SchedulerPlugin & Required<Pick<SchedulerPlugin, K>>;

/** A list of plugins, sorted by what they do, so that a cycle calls only those that have a part in it. */
export interface Profile {
  readonly plugins: ReadonlyMap<string, SchedulerPlugin>;
  readonly preEnqueue: readonly Having<'preEnqueue'>[];
  readonly preFilter: readonly Having<'preFilter'>[];
  readonly filter: readonly Having<'filter'>[];
  readonly addPod: readonly Having<'addPod'>[];
  readonly removePod: readonly Having<'removePod'>[];
  readonly postFilter: readonly Having<'postFilter'>[];
  readonly preScore: readonly Having<'preScore'>[];
  readonly score: readonly { readonly plugin: Having<'score'>; readonly weight: number }[];
  readonly reserve: readonly Having<'reserve'>[];
  readonly unreserve: readonly Having<'unreserve'>[];
  readonly preBind: readonly Having<'preBind'>[];
  readonly bind: readonly Having<'bind'>[];
}

export function createProfile(entries: readonly ProfileEntry[]): Profile {
  const plugins = entries.map((entry) => entry.plugin);
  const names = new Set(plugins.map((p) => p.name));
  if (names.size < plugins.length) throw new Error('two plugins of a profile have one name');
  const having = <K extends keyof SchedulerPlugin>(method: K): Having<K>[] =>
    plugins.filter((p): p is Having<K> => p[method] !== undefined);
  const weights = new Map(entries.map((entry) => [entry.plugin.name, entry.weight ?? 1]));
  return {
    plugins: new Map(plugins.map((p) => [p.name, p])),
    preEnqueue: having('preEnqueue'),
    preFilter: having('preFilter'),
    filter: having('filter'),
    addPod: having('addPod'),
    removePod: having('removePod'),
    postFilter: having('postFilter'),
    preScore: having('preScore'),
    score: having('score').map((plugin) => ({ plugin, weight: weights.get(plugin.name) ?? 1 })),
    reserve: having('reserve'),
    unreserve: having('unreserve'),
    preBind: having('preBind'),
    bind: having('bind'),
  };
}
