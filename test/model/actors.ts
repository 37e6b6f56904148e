import { setTimeout as sleep } from 'node:timers/promises';
import {
  CompactedError,
  StoreUnavailableError,
  UnknownOutcomeError,
  type Entry,
  type Revision,
  type RevisionedStore,
} from '@skiff/storage';
import type { History, Segment } from './history.ts';
import type { Random } from './random.ts';

export interface Run {
  readonly history: History;
  readonly prefix: string;
  readonly keys: readonly string[];
  /** Ends writers, compactions and faults. */
  readonly calm: AbortSignal;
  /** Ends watchers. */
  readonly stop: AbortSignal;
  /** Deletions, newest last: where compaction hurts most. */
  readonly deletions: Revision[];
}

const pause = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal }).catch(() => undefined);

/** Whatever a store may throw at any time; all else is a fault of the store. */
function countFailure(run: Run, error: unknown): void {
  if (error instanceof StoreUnavailableError) run.history.count('unavailable');
  else if (error instanceof UnknownOutcomeError) run.history.count('unknown outcome');
  else throw error;
}

/** Creates, replaces, deletes; now and then with a revision that is not current, now and then with a time to live. */
export async function write(run: Run, name: string, store: RevisionedStore, random: Random): Promise<void> {
  for (let n = 0; !run.calm.aborted; n++) {
    const key = random.pick(run.keys);
    const value = `${name}-${n}`;
    let isPut = true;
    try {
      const { entry, revision } = await store.get(key);
      run.history.reads.push({ key, entry, revision });
      const expected = random.next() < 0.1 ? (entry?.revision ?? 0) + random.below(3) : (entry?.revision ?? 0);
      isPut = entry === undefined || random.next() < 0.6;
      const result = isPut
        ? await store.put(key, Buffer.from(value), { expected, ...(random.next() < 0.05 && { ttlSeconds: 1 + random.below(2) }) })
        : await store.delete(key, { expected });
      run.history.count(result.outcome);
      if (result.outcome === 'committed') {
        run.history.committed.push({ type: isPut ? 'put' : 'delete', key, value: isPut ? value : undefined, revision: result.revision });
        if (!isPut) run.deletions.push(result.revision);
      } else if (isPut) run.history.neverWritten.add(value);
    } catch (error) {
      countFailure(run, error);
      if (isPut) (error instanceof UnknownOutcomeError ? run.history.perhapsWritten : run.history.neverWritten).add(value);
      await pause(20, run.calm);
    }
    if (random.next() < 0.05) await pause(random.below(20), run.calm);
  }
}

/** Lists and watches; leaves and comes back where it was, sometimes late enough that compaction has overtaken it. */
export async function watch(run: Run, name: string, store: RevisionedStore, random: Random, o: { leaves: boolean }): Promise<void> {
  while (!run.stop.aborted) {
    const segment = await startSegment(run, name, store);
    if (segment === undefined) continue;
    try {
      while (!run.stop.aborted) {
        await followFor(run, segment, store, o.leaves ? random.below(600) : undefined);
        run.history.count('watch left and resumed');
        if (o.leaves) await pause(random.below(400), run.stop);
      }
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error;
      run.history.count('watch ended by compaction');
    }
  }
}

async function startSegment(run: Run, watcher: string, store: RevisionedStore): Promise<Segment | undefined> {
  try {
    const { entries, revision } = await store.list(run.prefix);
    const segment: Segment = { watcher, from: revision, listed: entries, changes: [], to: revision };
    run.history.segments.push(segment);
    return segment;
  } catch (error) {
    countFailure(run, error);
    await pause(50, run.stop);
    return undefined;
  }
}

async function followFor(run: Run, segment: Segment, store: RevisionedStore, durationMs: number | undefined): Promise<void> {
  const controller = new AbortController();
  const leave = (): void => controller.abort();
  const timer = durationMs === undefined ? undefined : setTimeout(leave, durationMs);
  run.stop.addEventListener('abort', leave, { once: true });
  try {
    if (run.stop.aborted) return;
    for await (const batch of store.watch(run.prefix, { after: segment.to, signal: controller.signal })) {
      if (batch.appliedRevision <= segment.to)
        throw new Error(`${segment.watcher}: the mark went from ${segment.to} to ${batch.appliedRevision}`);
      segment.changes.push(...batch.changes);
      segment.to = batch.appliedRevision;
    }
  } finally {
    clearTimeout(timer);
    run.stop.removeEventListener('abort', leave);
  }
}

/** Compacts close behind the newest revision, best of all exactly at a deletion, and then watches from right before it. */
export async function compact(run: Run, store: RevisionedStore, random: Random): Promise<void> {
  while (!run.calm.aborted) {
    await pause(100 + random.below(500), run.calm);
    try {
      const current = await store.currentRevision();
      const deletion = run.deletions.at(-1 - random.below(20));
      const upTo = deletion !== undefined && random.next() < 0.8 ? deletion : Math.max(1, current - random.below(50));
      const compacted = await store.compactedRevision();
      if (upTo <= compacted) continue;
      const before = upTo - 1 > compacted ? await store.list(run.prefix, { at: upTo - 1 }) : undefined;
      await store.compact(upTo);
      run.history.count('compaction');
      if (before !== undefined) await watchTooEarly(run, store, before.entries, upTo - 1);
    } catch (error) {
      countFailure(run, error);
    }
  }
}

/** Must be refused. etcd 3.4 starts such a watch and leaves out the deletion; it is then found missing in the segment. */
async function watchTooEarly(run: Run, store: RevisionedStore, listed: readonly Entry[], from: Revision): Promise<void> {
  const segment: Segment = { watcher: 'too early', from, listed, changes: [], to: from };
  try {
    await followFor(run, segment, store, 300);
    // Nothing may have happened in that time; what did must be complete.
    run.history.segments.push(segment);
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error;
    run.history.count('watch at the compacted revision refused');
  }
}
