import { type Change, type ChangeBatch, CompactedError, type Entry, type Revision } from './contract.ts';
import { decodeWatchResponse, encodeWatchCreate, type EtcdKeyValue, type WatchEventMessage, type WatchResponse } from './etcd-messages.ts';
import type { EtcdRpc } from './etcd-rpc.ts';
import { ownCopy } from './own-copy.ts';

export interface EtcdWatchSource {
  readonly rpc: EtcdRpc;
  /** Throws CompactedError when history above `after` is incomplete, also when etcd is now behind `after`: a backup was restored. */
  verifyHistory(after: Revision): Promise<void>;
}

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
  let isVerified = false;
  let fragments: WatchEventMessage[] = [];
  for await (const messages of source.rpc.stream('/etcdserverpb.Watch/Watch', encodeWatchCreate(o.after + 1), o.signal)) {
    const events: WatchEventMessage[] = [];
    let end: WatchResponse | undefined;
    for (const message of messages) {
      const response = decodeWatchResponse(message);
      if (response.canceled) {
        end = response;
        break;
      }
      if (response.created) await source.verifyHistory(o.after);
      fragments.push(...response.events);
      if (response.fragment) continue;
      events.push(...fragments);
      fragments = [];
    }
    if (events.length > 0) {
      // A watch that starts exactly at a compacted deletion loses it without a word (etcd 18089), and compaction may have come
      // between our start and etcd's catching up. What was compacted by now tells whether that can have happened.
      if (!isVerified) await source.verifyHistory(o.after);
      isVerified = true;
      yield toBatch(events, prefix);
    }
    if (end !== undefined) throw cancellation(end);
  }
  if (!o.signal.aborted) throw new Error('etcd ended the watch stream');
}

function cancellation({ compactRevision, cancelReason }: WatchResponse): Error {
  return compactRevision > 0 ? new CompactedError(compactRevision) : new Error(`etcd canceled the watch: ${cancelReason}`);
}

function toBatch(events: readonly WatchEventMessage[], prefix: string): ChangeBatch {
  const changes: Change[] = [];
  let appliedRevision = 0;
  for (const event of events) {
    appliedRevision = event.kv.modRevision;
    const key = event.kv.key.toString();
    if (key.startsWith(prefix)) changes.push(toChange(event, key));
  }
  return { changes, appliedRevision };
}

function toChange({ isDelete, kv, previous }: WatchEventMessage, key: string): Change {
  const existed = isDelete || kv.version !== 1;
  // Compaction overtook this watch between the event and the look-up of what was there before.
  if (existed && previous === undefined) throw new CompactedError(kv.modRevision);
  return {
    type: isDelete ? 'delete' : 'put',
    key,
    revision: kv.modRevision,
    ...(isDelete ? {} : { value: ownCopy(kv.value) }),
    ...(previous && { previous: toEntry(previous, key) }),
  };
}

export const toEntry = (kv: EtcdKeyValue, key = kv.key.toString()): Entry => ({ key, value: ownCopy(kv.value), revision: kv.modRevision });
