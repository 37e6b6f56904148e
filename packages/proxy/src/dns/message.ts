import { isIP } from 'node:net';
import type { ZoneRecord } from './zone.ts';

/**
 * Encoding of answers with compressed names, which dns-packet doesn't do: a headless Service of ten pods must fit in the 512
 * bytes of a resolver without EDNS.
 */
export const rcodes = { noError: 0, formatError: 1, serverFailure: 2, noSuchName: 3, notImplemented: 4, refused: 5 } as const;
export type Rcode = (typeof rcodes)[keyof typeof rcodes];

const typeNumbers: Readonly<Record<ZoneRecord['type'], number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};
const optType = 41;
/** What this server takes in one datagram. */
const ownUdpPayload = 4096;

/** The zone and the number of its state. */
export interface Soa {
  readonly zone: string;
  readonly serial: number;
}

export interface Reply {
  readonly id: number;
  /** The question as it stood in the query, for resolvers that check its letters' case. */
  readonly question: Buffer | undefined;
  readonly recursionDesired: boolean;
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers: readonly ZoneRecord[];
  readonly additionals: readonly ZoneRecord[];
  /** Of the own zone: goes with NXDOMAIN and NODATA, and says what an answer of type SOA says. */
  readonly soa: Soa | undefined;
  readonly ttlSeconds: number;
  /** The query had an OPT record. */
  readonly edns: boolean;
}

class Writer {
  #buffer = Buffer.allocUnsafe(1024);
  length = 0;
  readonly #names = new Map<string, number>();

  room(bytes: number): void {
    if (this.length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + bytes));
    this.#buffer.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
  }
  u8(value: number): void {
    this.room(1);
    this.length = this.#buffer.writeUInt8(value, this.length);
  }
  u16(value: number): void {
    this.room(2);
    this.length = this.#buffer.writeUInt16BE(value, this.length);
  }
  u32(value: number): void {
    this.room(4);
    this.length = this.#buffer.writeUInt32BE(value >>> 0, this.length);
  }
  bytes(data: Uint8Array): void {
    this.room(data.length);
    this.#buffer.set(data, this.length);
    this.length += data.length;
  }
  setU16(at: number, value: number): void {
    this.#buffer.writeUInt16BE(value, at);
  }
  /** Takes back what was written after `length`. */
  truncate(length: number): void {
    this.length = length;
    for (const [name, at] of this.#names) if (at >= length) this.#names.delete(name);
  }
  note(name: string, at: number): void {
    if (at < 0x4000 && !this.#names.has(name)) this.#names.set(name, at);
  }
  name(text: string, compress = true): void {
    let rest = text.replace(/\.$/, '');
    while (rest !== '') {
      const known = compress ? this.#names.get(rest.toLowerCase()) : undefined;
      if (known !== undefined) {
        this.u16(0xc000 | known);
        return;
      }
      this.note(rest.toLowerCase(), this.length);
      const dot = rest.indexOf('.');
      const label = Buffer.from(dot < 0 ? rest : rest.slice(0, dot), 'utf8').subarray(0, 63);
      this.u8(label.length);
      this.bytes(label);
      rest = dot < 0 ? '' : rest.slice(dot + 1);
    }
    this.u8(0);
  }
  result(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.length));
  }
}

export function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const words = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return Buffer.from(words.map((w) => w.padStart(4, '0')).join(''), 'hex');
}

function writeSoa(w: Writer, soa: Soa, ttlSeconds: number): void {
  w.name(`ns.dns.${soa.zone}`);
  w.name(`hostmaster.${soa.zone}`);
  for (const value of [soa.serial, 7200, 1800, 86_400, ttlSeconds]) w.u32(value);
}

function writeData(w: Writer, record: ZoneRecord, reply: Reply): void {
  switch (record.type) {
    case 'SOA':
      return writeSoa(w, reply.soa ?? { zone: record.name, serial: 0 }, reply.ttlSeconds);
    case 'A':
    case 'AAAA':
      return w.bytes(addressBytes(record.data));
    case 'SRV':
      w.u16(record.data.priority);
      w.u16(record.data.weight);
      w.u16(record.data.port);
      // RFC 2782: the target isn't compressed.
      return w.name(record.data.target, false);
    case 'TXT': {
      const text = Buffer.from(record.data, 'utf8').subarray(0, 255);
      w.u8(text.length);
      return w.bytes(text);
    }
    case 'PTR':
    case 'CNAME':
    case 'NS':
      return w.name(record.data);
  }
}

function writeRecord(w: Writer, name: string, type: number, ttlSeconds: number, data: () => void): void {
  w.name(name);
  w.u16(type);
  w.u16(1);
  w.u32(ttlSeconds);
  const at = w.length;
  w.u16(0);
  data();
  w.setU16(at, w.length - at - 2);
}

/** Labels of the question, so that answers can point at them. The question follows the 12 bytes of the header. */
function noteQuestion(w: Writer, question: Buffer): void {
  const labels: { at: number; text: string }[] = [];
  for (let at = 0; at < question.length; ) {
    const length = question[at] ?? 0;
    if (length === 0 || length >= 0xc0) break;
    labels.push({ at, text: question.toString('latin1', at + 1, at + 1 + length).toLowerCase() });
    at += 1 + length;
  }
  labels.forEach((label, i) =>
    w.note(
      labels
        .slice(i)
        .map((l) => l.text)
        .join('.'),
      12 + label.at,
    ),
  );
}

/** The datagram for `reply`, at most `maxBytes` long: what doesn't fit is left out and the truncation flag says so. */
export function encodeReply(reply: Reply, maxBytes: number): Buffer {
  const w = new Writer();
  const optBytes = reply.edns ? 11 : 0;
  for (let i = 0; i < 6; i++) w.u16(0);
  if (reply.question !== undefined) {
    w.bytes(reply.question);
    noteQuestion(w, reply.question);
  }
  let truncated = false;
  const put = (records: readonly ZoneRecord[]): number => {
    let n = 0;
    for (const record of records) {
      const before = w.length;
      writeRecord(w, record.name, typeNumbers[record.type], reply.ttlSeconds, () => writeData(w, record, reply));
      if (w.length + optBytes > maxBytes) {
        w.truncate(before);
        truncated = true;
        break;
      }
      n++;
    }
    return n;
  };
  const answers = put(reply.answers);
  let authorities = 0;
  const { soa } = reply;
  if (soa !== undefined && reply.answers.length === 0) {
    authorities = 1;
    writeRecord(w, soa.zone, typeNumbers.SOA, reply.ttlSeconds, () => writeSoa(w, soa, reply.ttlSeconds));
  }
  const answersCut = truncated;
  let additionals = truncated ? 0 : put(reply.additionals);
  if (reply.edns) {
    additionals++;
    w.u8(0);
    w.u16(optType);
    w.u16(ownUdpPayload);
    w.u32(0);
    w.u16(0);
  }
  // Additional records are a courtesy: leaving some out is no truncation.
  const flags =
    0x8000 | (reply.authoritative ? 0x0400 : 0) | (answersCut ? 0x0200 : 0) | (reply.recursionDesired ? 0x0100 : 0) | 0x0080 | reply.rcode;
  [reply.id, flags, reply.question === undefined ? 0 : 1, answers, authorities, additionals].forEach((value, i) => w.setU16(i * 2, value));
  return w.result();
}
