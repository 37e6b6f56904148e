import { setTimeout as sleep } from 'node:timers/promises';
import type { RevisionedStore } from '@skiff/storage';
import { compact, watch, write, type Run } from './actors.ts';
import { findFaults, History } from './history.ts';
import { createRandom, type Random } from './random.ts';

export interface ModelConfig {
  /** Another client of the store under test, through whatever breaks. */
  readonly open: () => RevisionedStore;
  /** Breaks something and mends it again. Called again and again with random pauses. */
  readonly fault?: (random: Random) => Promise<void>;
  readonly seed: number;
  readonly durationMs: number;
  /** It goes on for up to a minute more until more than so many writes were acknowledged. */
  readonly leastWrites: number;
}

export interface ModelResult {
  readonly faults: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const writers = 6;
const restlessWatchers = 4;
const steadyWatchers = 2;

/**
 * Random writers, watchers and compactions, while things break. Then everything is mended, watchers get time to come to the last
 * revision, and what everybody saw is compared: no gap, no repeat, no disorder, nothing invented, nothing acknowledged and lost.
 */
export async function runModel(config: ModelConfig): Promise<ModelResult> {
  const random = createRandom(config.seed);
  const prefix = `/model/${config.seed}/`;
  const calm = new AbortController();
  const stop = new AbortController();
  const run: Run = {
    history: new History(),
    prefix,
    keys: Array.from({ length: 30 }, (_, i) => `${prefix}${i}`),
    calm: calm.signal,
    stop: stop.signal,
    deletions: [],
  };
  const stores: RevisionedStore[] = [];
  const open = (): RevisionedStore => {
    const store = config.open();
    stores.push(store);
    return store;
  };
  const writing = [
    ...Array.from({ length: writers }, (_, i) => write(run, `w${i}`, open(), random.fork())),
    compact(run, open(), random.fork()),
    breakThings(config, random.fork(), calm.signal),
  ];
  const watching = [
    ...Array.from({ length: restlessWatchers }, (_, i) => watch(run, `restless${i}`, open(), random.fork(), { leaves: true })),
    ...Array.from({ length: steadyWatchers }, (_, i) => watch(run, `steady${i}`, open(), random.fork(), { leaves: false })),
  ];
  const all = Promise.all([...writing, ...watching]);
  all.catch(() => {
    calm.abort();
    stop.abort();
  });
  try {
    await sleep(config.durationMs, undefined, { signal: stop.signal }).catch(() => undefined);
    // A busy machine is given longer to write what is worth looking at.
    for (let more = 0; more < 60_000 && run.history.committed.length <= config.leastWrites && !stop.signal.aborted; more += 250)
      await sleep(250);
    calm.abort();
    await Promise.all(writing);
    const late = await waitForWatchers(run, open());
    stop.abort();
    await all;
    return { faults: [...late, ...findFaults(run.history)], counts: { ...run.history.counts, changes: countChanges(run) } };
  } finally {
    calm.abort();
    stop.abort();
    await Promise.allSettled([...writing, ...watching]);
    for (const store of stores) await store[Symbol.asyncDispose]();
  }
}

async function breakThings(config: ModelConfig, random: Random, calm: AbortSignal): Promise<void> {
  while (config.fault !== undefined && !calm.aborted) {
    await sleep(200 + random.below(800), undefined, { signal: calm }).catch(() => undefined);
    if (!calm.aborted) await config.fault(random);
  }
}

/** Progress: when nothing is broken any more, everybody gets to the end. */
async function waitForWatchers(run: Run, store: RevisionedStore): Promise<string[]> {
  const deadlineMs = performance.now() + 60_000;
  const target = await store.currentRevision();
  for (;;) {
    const newest = new Map(run.history.segments.map((s) => [s.watcher, s]));
    const late = [...newest.values()].filter((s) => s.watcher !== 'too early' && s.to < target);
    if (late.length === 0) return [];
    if (performance.now() > deadlineMs) return late.map((s) => `${s.watcher} is stuck at ${s.to} of ${target}`);
    await sleep(20);
  }
}

const countChanges = (run: Run): number => Math.max(...run.history.segments.map((s) => s.changes.length));
