/**
 * The few etcd messages that every request and event goes through, encoded and decoded by hand: protobuf by reflection costs more than all
 * the rest of a call. Field numbers are those of etcd's rpc.proto and kv.proto. Numbers stay below 2^53.
 */

/** A key-value pair; `value` is a view of the message it came in. */
export interface EtcdKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly modRevision: number;
  /** 1 = just created. */
  readonly version: number;
}

export interface RangeRequest {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
  readonly limit?: number;
  readonly revision?: number;
  readonly countOnly?: boolean;
}
export interface RangeResponse {
  readonly revision: number;
  readonly kvs: readonly EtcdKeyValue[];
  readonly more: boolean;
  readonly count: number;
}

/** Put or delete a key if its last change was at `expected`, and that of `guard` at its own; else read it. */
export interface CompareAndSet {
  readonly key: Buffer;
  readonly expected: number;
  readonly guard?: { readonly key: Buffer; readonly expected: number };
  /** Absent: delete. */
  readonly value?: Buffer;
  /** A lease id in decimal: these use all 63 bits. */
  readonly lease?: string;
}
export interface CompareAndSetResponse {
  readonly revision: number;
  readonly succeeded: boolean;
  /** What a delete removed, or what stands in the way. */
  readonly kv: EtcdKeyValue | undefined;
}

export interface WatchEventMessage {
  readonly isDelete: boolean;
  readonly kv: EtcdKeyValue;
  readonly previous: EtcdKeyValue | undefined;
}
export interface WatchResponse {
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  /** More of the same revision follows. */
  readonly fragment: boolean;
  readonly events: readonly WatchEventMessage[];
}

const varint = 0;
const lengthDelimited = 2;

/**
 * Writes a message from its end to its beginning: so the length of what is nested is known when it comes to be written, and one
 * buffer is enough. Fields therefore go in backwards.
 */
export class BackwardsWriter {
  readonly #buffer: Buffer;
  #at: number;

  /** `bytes`: at least as many as the message will have. */
  constructor(bytes: number) {
    this.#buffer = Buffer.allocUnsafe(bytes + framePrefixBytes);
    this.#at = this.#buffer.length;
  }

  #varint(value: number): void {
    let length = 1;
    for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++;
    this.#at -= length;
    let rest = value;
    for (let i = this.#at; ; i++) {
      if (rest < 128) {
        this.#buffer[i] = rest;
        return;
      }
      this.#buffer[i] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
  }

  number(field: number, value: number): this {
    this.#varint(value);
    this.#varint(field * 8 + varint);
    return this;
  }

  bigNumber(field: number, decimal: string): this {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(decimal));
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
    this.#at -= bytes.length;
    this.#buffer.set(bytes, this.#at);
    this.#varint(field * 8 + varint);
    return this;
  }

  bytes(field: number, value: Buffer): this {
    this.#at -= value.length;
    value.copy(this.#buffer, this.#at);
    this.#varint(value.length);
    this.#varint(field * 8 + lengthDelimited);
    return this;
  }

  message(field: number, write: (writer: this) => void): this {
    const end = this.#at;
    write(this);
    this.#varint(end - this.#at);
    this.#varint(field * 8 + lengthDelimited);
    return this;
  }

  /** With gRPC's prefix: not compressed, length. */
  frame(): Buffer {
    const length = this.#buffer.length - this.#at;
    this.#at -= framePrefixBytes;
    this.#buffer[this.#at] = 0;
    this.#buffer.writeUInt32BE(length, this.#at + 1);
    return this.#buffer.subarray(this.#at);
  }
}
const framePrefixBytes = 5;
/** More than all tags, lengths and numbers of a message take together. */
const overhead = 128;

/** Calls `visit` with each field: its number, and its value as a number or as a view. Fields of other kinds are skipped. */
export function readFields(message: Buffer, visit: (field: number, value: number, bytes: Buffer) => void): void {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('a message from etcd ends within a field');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = next();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case varint:
        visit(field, next(), empty);
        break;
      case lengthDelimited: {
        const length = next();
        visit(field, 0, message.subarray(at, at + length));
        at += length;
        break;
      }
      case 1:
        at += 8;
        break;
      case 5:
        at += 4;
        break;
      default:
        throw new Error(`a message from etcd has a field of unknown kind ${tag % 8}`);
    }
  }
}
const empty: Buffer = Buffer.alloc(0);

/** An unsigned number of up to 64 bits, in decimal; '0' when the field is absent. */
export function readBigField(message: Buffer, wanted: number): string {
  let at = 0;
  const next = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('a message from etcd ends within a field');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(next());
    if (tag % 8 === varint) {
      const value = next();
      if (Math.floor(tag / 8) === wanted) return String(value);
    } else if (tag % 8 === lengthDelimited) {
      const length = Number(next());
      at += length;
    } else at += tag % 8 === 1 ? 8 : 4;
  }
  return '0';
}

function writeRange(writer: BackwardsWriter, { key, rangeEnd, limit = 0, revision = 0, countOnly = false }: RangeRequest): void {
  if (countOnly) writer.number(9, 1);
  if (revision !== 0) writer.number(4, revision);
  if (limit !== 0) writer.number(3, limit);
  if (rangeEnd !== undefined) writer.bytes(2, rangeEnd);
  writer.bytes(1, key);
}

export function encodeRange(request: RangeRequest): Buffer {
  const writer = new BackwardsWriter(request.key.length + (request.rangeEnd?.length ?? 0) + overhead);
  writeRange(writer, request);
  return writer.frame();
}

export function encodeCompareAndSet({ key, expected, guard, value, lease }: CompareAndSet): Buffer {
  const read: RangeRequest = { key };
  const writer = new BackwardsWriter(key.length * 3 + (guard?.key.length ?? 0) + (value?.length ?? 0) + overhead)
    .message(3, (otherwise) => otherwise.message(1, (operation) => writeRange(operation, read)))
    .message(2, (operation) => {
      if (value === undefined) operation.message(3, (remove) => remove.number(3, 1).bytes(1, key));
      else
        operation.message(2, (put) => {
          if (lease !== undefined) put.bigNumber(3, lease);
          put.bytes(2, value).bytes(1, key);
        });
    });
  if (guard !== undefined) writer.message(1, (compare) => compare.number(6, guard.expected).bytes(3, guard.key).number(2, 2));
  return writer.message(1, (compare) => compare.number(6, expected).bytes(3, key).number(2, 2)).frame();
}

/** `id` is the caller's choice. */
export const encodeLeaseGrant = (id: number, ttlSeconds: number): Buffer =>
  new BackwardsWriter(overhead).number(2, id).number(1, ttlSeconds).frame();
/** A request that names a lease and nothing else: to revoke it, to keep it alive. */
export const encodeLeaseId = (id: number): Buffer => new BackwardsWriter(overhead).number(1, id).frame();
/** Seconds that the lease has left; 0: it is gone. */
export function decodeLeaseKeepAlive(message: Buffer): number {
  let ttlSeconds = 0;
  readFields(message, (field, number) => {
    if (field === 3) ttlSeconds = number;
  });
  return ttlSeconds;
}

export const encodeCompaction = (revision: number): Buffer => new BackwardsWriter(overhead).number(1, revision).frame();

/** Everything from a revision on, with previous values, large responses in fragments. */
export function encodeWatchCreate(startRevision: number): Buffer {
  const everything = Buffer.from([0]);
  return new BackwardsWriter(overhead)
    .message(1, (create) => create.number(8, 1).number(6, 1).number(3, startRevision).bytes(2, everything).bytes(1, everything))
    .frame();
}

function readHeaderRevision(message: Buffer): number {
  let revision = 0;
  readFields(message, (field, value) => {
    if (field === 3) revision = value;
  });
  return revision;
}

function readKeyValue(message: Buffer): EtcdKeyValue {
  let key: Buffer = empty;
  let value: Buffer = empty;
  let modRevision = 0;
  let version = 0;
  readFields(message, (field, number, bytes) => {
    if (field === 1) key = bytes;
    else if (field === 3) modRevision = number;
    else if (field === 4) version = number;
    else if (field === 5) value = bytes;
  });
  return { key, value, modRevision, version };
}

export function decodeRange(message: Buffer): RangeResponse {
  let revision = 0;
  let more = false;
  let count = 0;
  const kvs: EtcdKeyValue[] = [];
  readFields(message, (field, number, bytes) => {
    if (field === 1) revision = readHeaderRevision(bytes);
    else if (field === 2) kvs.push(readKeyValue(bytes));
    else if (field === 3) more = number !== 0;
    else if (field === 4) count = number;
  });
  return { revision, kvs, more, count };
}

export function decodeCompareAndSet(message: Buffer): CompareAndSetResponse {
  let revision = 0;
  let succeeded = false;
  let kv: EtcdKeyValue | undefined;
  readFields(message, (field, number, bytes) => {
    if (field === 1) revision = readHeaderRevision(bytes);
    else if (field === 2) succeeded = number !== 0;
    else if (field === 3) {
      readFields(bytes, (kind, _, response) => {
        // A range answers with pairs in field 2, a delete with what it removed in field 3.
        const pairs = kind === 1 ? 2 : kind === 3 ? 3 : 0;
        readFields(response, (inner, __, pair) => {
          if (inner === pairs) kv = readKeyValue(pair);
        });
      });
    }
  });
  return { revision, succeeded, kv };
}

function readEvent(message: Buffer): WatchEventMessage {
  let isDelete = false;
  let kv: EtcdKeyValue | undefined;
  let previous: EtcdKeyValue | undefined;
  readFields(message, (field, number, bytes) => {
    if (field === 1) isDelete = number === 1;
    else if (field === 2) kv = readKeyValue(bytes);
    else if (field === 3) previous = readKeyValue(bytes);
  });
  if (kv === undefined) throw new Error('an event from etcd has no key');
  return { isDelete, kv, previous };
}

export function decodeWatchResponse(message: Buffer): WatchResponse {
  let created = false;
  let canceled = false;
  let compactRevision = 0;
  let cancelReason = '';
  let fragment = false;
  const events: WatchEventMessage[] = [];
  readFields(message, (field, number, bytes) => {
    if (field === 3) created = number !== 0;
    else if (field === 4) canceled = number !== 0;
    else if (field === 5) compactRevision = number;
    else if (field === 6) cancelReason = bytes.toString();
    else if (field === 7) fragment = number !== 0;
    else if (field === 11) events.push(readEvent(bytes));
  });
  return { created, canceled, compactRevision, cancelReason, fragment, events };
}
