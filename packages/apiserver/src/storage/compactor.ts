import type { Clock, Logger } from '@skiff/component-base';
import { type Entry, type Revision, type RevisionedStore, StoreUnavailableError, UnknownOutcomeError } from '@skiff/storage';

/** Upstream's key for the same purpose. It lies outside the root, and its writes are seen by the follower like all others. */
export const compactRevisionKey = 'compact_rev_key';

/** After a failed try: the store is away, and nothing is lost by waiting. */
const retryMs = 10_000;

/**
 * Forgets history older than one to two intervals. The key holds the revision of the moment when it was written; every interval each apiserver
 * tries to replace the value it last saw, and the one that wins compacts up to the value it replaced: so the interval is kept however
 * many apiservers run and whichever of them is restarted.
 */
export async function runCompactor(
  o: { intervalMs: number },
  deps: { store: RevisionedStore; clock: Clock; log: Logger; signal: AbortSignal },
): Promise<void> {
  const { store, clock, log, signal } = deps;
  let seen: Entry | undefined;
  let read = false;
  for (;;) {
    try {
      if (!read) {
        seen = (await store.get(compactRevisionKey)).entry;
        read = true;
      }
      await clock.sleep(o.intervalMs, signal);
      const now = await store.currentRevision();
      const value = Buffer.from(String(now));
      const written = await store.put(compactRevisionKey, value, { expected: seen?.revision ?? 0 });
      if (written.outcome === 'lost') {
        seen = written.current;
        continue;
      }
      const upTo = seen === undefined ? 0 : parseRevision(seen.value);
      seen = { key: compactRevisionKey, value, revision: written.revision };
      if (upTo > 0) {
        await store.compact(upTo);
        log.debug({ upTo }, 'history compacted');
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof StoreUnavailableError || error instanceof UnknownOutcomeError)) throw error;
      log.warn({ err: error }, 'compaction is put off');
      read = false;
      await clock.sleep(retryMs, signal);
    }
  }
}

function parseRevision(value: Buffer): Revision {
  const n = Number(value.toString('latin1'));
  return Number.isSafeInteger(n) && n > 0 ? n : 0;
}
