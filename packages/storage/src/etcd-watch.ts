import type { Etcd3, IEvent, IKeyValue, IWatchRequest, IWatchResponse } from 'etcd3';
import { type Change, type ChangeBatch, CompactedError, type Entry, type Revision } from './contract.ts';
import { leaderRequired } from './etcd-client.ts';
import { ownCopy } from './own-copy.ts';

export interface EtcdWatchSource {
  readonly etcd: Etcd3;
  /** Throws CompactedError when history above `after` is incomplete, also when etcd is now behind `after`: a backup was restored. */
  verifyHistory(after: Revision): Promise<void>;
}

/** What the client's type leaves out: the stream is a Node Readable, so it is read with back-pressure. */
interface WatchStream extends AsyncIterable<IWatchResponse> {
  write(request: IWatchRequest): void;
  cancel(): void;
}

const everything = Buffer.from([0]);

/**
 * Follows one stream from `after` until it breaks (throws) or the signal aborts (returns). It watches the whole key space and
 * filters here, since only then does each revision show up and "applied" is exact; etcd 3.4's progress notifications can claim
 * more than was sent (etcd 15220).
 */
export async function* followStream(
  source: EtcdWatchSource,
  prefix: string,
  o: { after: Revision; signal: AbortSignal },
): AsyncGenerator<ChangeBatch> {
  const stream = (await source.etcd.watchClient.watch(leaderRequired)) as unknown as WatchStream;
  const cancel = (): void => stream.cancel();
  o.signal.addEventListener('abort', cancel, { once: true });
  try {
    if (o.signal.aborted) return;
    stream.write({
      create_request: { key: everything, range_end: everything, start_revision: o.after + 1, prev_kv: true, fragment: true },
    });
    let verified = false;
    let fragments: IEvent[] = [];
    for await (const response of stream) {
      if (response.canceled) throw cancellation(response);
      if (response.created) {
        await source.verifyHistory(o.after);
        continue;
      }
      fragments = fragments.length === 0 ? response.events : fragments.concat(response.events);
      if (response.fragment || fragments.length === 0) continue;
      // A watch that starts exactly at a compacted deletion loses it without a word (etcd 18089), and compaction may have come
      // between our start and etcd's catching up. What was compacted by now tells whether that can have happened.
      if (!verified) await source.verifyHistory(o.after);
      verified = true;
      const events = fragments;
      fragments = [];
      yield toBatch(events, prefix);
    }
    if (!o.signal.aborted) throw new Error('etcd ended the watch stream');
  } catch (error) {
    if (!o.signal.aborted) throw error;
  } finally {
    o.signal.removeEventListener('abort', cancel);
    stream.cancel();
  }
}

function cancellation(response: IWatchResponse): Error {
  const compacted = Number(response.compact_revision);
  return compacted > 0 ? new CompactedError(compacted) : new Error(`etcd canceled the watch: ${response.cancel_reason}`);
}

function toBatch(events: readonly IEvent[], prefix: string): ChangeBatch {
  const changes: Change[] = [];
  let appliedRevision = 0;
  for (const event of events) {
    appliedRevision = Number(event.kv.mod_revision);
    const key = event.kv.key.toString();
    if (key.startsWith(prefix)) changes.push(toChange(event, key, appliedRevision));
  }
  return { changes, appliedRevision };
}

function toChange(event: IEvent, key: string, revision: Revision): Change {
  const isDelete = event.type === 'Delete';
  const existed = isDelete || event.kv.version !== '1';
  const previous = hasValue(event.prev_kv) ? toEntry(event.prev_kv, key) : undefined;
  // Compaction overtook this watch between the event and the look-up of what was there before.
  if (existed && previous === undefined) throw new CompactedError(revision);
  return {
    type: isDelete ? 'delete' : 'put',
    key,
    revision,
    ...(isDelete ? {} : { value: ownCopy(event.kv.value) }),
    ...(previous && { previous }),
  };
}

const hasValue = (kv: IKeyValue | null | undefined): kv is IKeyValue => kv !== null && kv !== undefined && kv.mod_revision !== '0';

export const toEntry = (kv: IKeyValue, key = kv.key.toString()): Entry => ({
  key,
  value: ownCopy(kv.value),
  revision: Number(kv.mod_revision),
});
