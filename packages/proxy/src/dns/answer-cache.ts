import { endOfName } from './query.ts';

/** Answers of other servers, kept as bytes with the places of their TTLs. */
interface Entry {
  readonly message: Buffer;
  readonly ttlOffsets: readonly number[];
  readonly storedMs: number;
  readonly expiresMs: number;
}

const entryLimit = 5_000;
const entryBytesLimit = 4_096;
const longestSeconds = 30;
const longestNegativeSeconds = 5;
const optType = 41;

/** Offsets of the TTLs of all records but OPT, and the smallest TTL. undefined for a malformed message. */
export function findTtls(message: Buffer): { offsets: readonly number[]; lowest: number } | undefined {
  if (message.length < 12) return undefined;
  let at = 12;
  for (let i = message.readUInt16BE(4); i > 0; i--) {
    const end = endOfName(message, at);
    if (end === undefined) return undefined;
    at = end + 4;
  }
  const offsets: number[] = [];
  let lowest = Number.POSITIVE_INFINITY;
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let i = 0; i < records; i++) {
    const end = endOfName(message, at);
    if (end === undefined || end + 10 > message.length) return undefined;
    if (message.readUInt16BE(end) !== optType) {
      offsets.push(end + 4);
      lowest = Math.min(lowest, message.readUInt32BE(end + 4));
    }
    at = end + 10 + message.readUInt16BE(end + 8);
    if (at > message.length) return undefined;
  }
  return { offsets, lowest };
}

/** Bounded in entries and in time: 30 s for answers, 5 s for "no such name". Failures and truncated answers aren't kept. */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();

  put(key: string, message: Buffer, nowMs: number): void {
    const flags = message.length < 4 ? 0 : message.readUInt16BE(2);
    const rcode = flags & 0xf;
    if ((flags & 0x0200) !== 0 || (rcode !== 0 && rcode !== 3) || message.length > entryBytesLimit) return;
    const ttls = findTtls(message);
    if (ttls === undefined) return;
    const negative = rcode === 3 || message.readUInt16BE(6) === 0;
    const seconds = Math.min(ttls.lowest, negative ? longestNegativeSeconds : longestSeconds);
    if (seconds <= 0) return;
    this.#entries.delete(key);
    this.#entries.set(key, { message, ttlOffsets: ttls.offsets, storedMs: nowMs, expiresMs: nowMs + seconds * 1000 });
    if (this.#entries.size > entryLimit)
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
  }

  /** The answer with the age taken off its TTLs, under the query's ID and with its question. */
  get(key: string, query: { id: number; question: Buffer }, nowMs: number): Buffer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresMs <= nowMs) {
      this.#entries.delete(key);
      return undefined;
    }
    const message = Buffer.from(entry.message);
    message.writeUInt16BE(query.id, 0);
    query.question.copy(message, 12);
    const age = Math.floor((nowMs - entry.storedMs) / 1000);
    for (const at of entry.ttlOffsets) message.writeUInt32BE(Math.max(0, message.readUInt32BE(at) - age), at);
    return message;
  }
}
