import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { readFields } from './etcd-messages.ts';

/** A snapshot that is not whole, or not one at all. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

export interface SnapshotEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

const hashBytes = 32;
const blockBytes = 512;
const chunkBytes = 1 << 20;
const pageHeaderBytes = 16;
const elementBytes = 16;
const bucketHeaderBytes = 16;
const metaMagic = 0xed0cdaed;
const metaBytes = 64;
/** What is read of a meta page. */
const metaPageBytes = pageHeaderBytes + metaBytes;
const flag = { branch: 1, leaf: 2 } as const;
const bucketFlag = 1;
const maxPageBytes = 1 << 30;

/**
 * etcd puts a SHA-256 behind the database that it sends. Resolves with the bytes of the database; throws SnapshotError when they are not those that
 * were sent.
 */
export async function verifySnapshot(path: string): Promise<number> {
  await using file = await open(path);
  const { size } = await file.stat();
  // The database is whole pages, so what is left over tells whether the hash is there.
  if (size <= hashBytes || size % blockBytes !== hashBytes)
    throw new SnapshotError(`${path} is not a whole snapshot of etcd: it has ${size} bytes`);
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(chunkBytes);
  for (let at = 0; at < size - hashBytes; ) {
    const { bytesRead } = await file.read(chunk, 0, Math.min(chunkBytes, size - hashBytes - at), at);
    if (bytesRead === 0) throw new SnapshotError(`${path} ends early`);
    hash.update(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
  const expected = await readAt(file, size - hashBytes, hashBytes);
  if (!hash.digest().equals(expected)) throw new SnapshotError(`${path} is damaged: its SHA-256 is not the one that etcd gave it`);
  return size - hashBytes;
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  if (bytesRead < length) throw new SnapshotError('the snapshot ends within a page');
  return bytes;
}

interface Meta {
  readonly pageSize: number;
  readonly root: number;
  readonly transaction: bigint;
}

function readMeta(page: Buffer): Meta | undefined {
  const at = pageHeaderBytes;
  if (page.readUInt32LE(at) !== metaMagic || page.readUInt32LE(at + 4) !== 2) return undefined;
  if (fnv1a(page.subarray(at, at + metaBytes - 8)) !== page.readBigUInt64LE(at + metaBytes - 8)) return undefined;
  return {
    pageSize: page.readUInt32LE(at + 8),
    root: Number(page.readBigUInt64LE(at + 16)),
    transaction: page.readBigUInt64LE(at + 48),
  };
}

/** bbolt's checksum of its meta pages: 64 bits. */
function fnv1a(bytes: Buffer): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

interface Element {
  readonly flags: number;
  readonly key: Buffer;
  readonly value: Buffer;
}

/** A bbolt file, read page by page: it may be larger than memory. */
class BoltFile {
  readonly #file: FileHandle;
  readonly #pageSize: number;
  constructor(file: FileHandle, pageSize: number) {
    this.#file = file;
    this.#pageSize = pageSize;
  }

  async #page(id: number): Promise<Buffer> {
    const at = id * this.#pageSize;
    const header = await readAt(this.#file, at, pageHeaderBytes);
    const bytes = (header.readUInt32LE(12) + 1) * this.#pageSize;
    if (Number(header.readBigUInt64LE(0)) !== id || bytes > maxPageBytes) throw new SnapshotError(`page ${id} of the snapshot is damaged`);
    return await readAt(this.#file, at, bytes);
  }

  /** Every element below a page, in the order of the keys. */
  async *elements(id: number): AsyncGenerator<Element> {
    const page = await this.#page(id);
    if ((page.readUInt16LE(8) & flag.branch) !== 0) {
      for (const child of branchChildren(page)) yield* this.elements(child);
    } else yield* leafElements(page);
  }
}

function* branchChildren(page: Buffer): Generator<number> {
  const count = page.readUInt16LE(10);
  for (let i = 0; i < count; i++) yield Number(page.readBigUInt64LE(pageHeaderBytes + i * elementBytes + 8));
}

function* leafElements(page: Buffer): Generator<Element> {
  if ((page.readUInt16LE(8) & flag.leaf) === 0) throw new SnapshotError('the snapshot has a page of an unknown kind');
  const count = page.readUInt16LE(10);
  for (let i = 0; i < count; i++) {
    const at = pageHeaderBytes + i * elementBytes;
    const start = at + page.readUInt32LE(at + 4);
    const middle = start + page.readUInt32LE(at + 8);
    const end = middle + page.readUInt32LE(at + 12);
    if (end > page.length) throw new SnapshotError('the snapshot has an element beyond its page');
    yield { flags: page.readUInt32LE(at), key: page.subarray(start, middle), value: page.subarray(middle, end) };
  }
}

const revisionBytes = 17;
const tombstone = 't'.charCodeAt(0);

function readEntry(value: Buffer): SnapshotEntry & { readonly hasLease: boolean } {
  let key: Buffer = Buffer.alloc(0);
  let content: Buffer = Buffer.alloc(0);
  let hasLease = false;
  readFields(value, (field, number, bytes) => {
    if (field === 1) key = bytes;
    else if (field === 5) content = bytes;
    else if (field === 6) hasLease = number !== 0;
  });
  return { key, value: content, hasLease };
}

/**
 * The state that a snapshot holds: each key with its last value. What expires (keys under leases) is left out. Reads the file twice and keeps only one number for
 * each key in memory. Throws SnapshotError.
 */
export async function* readSnapshot(path: string): AsyncGenerator<SnapshotEntry> {
  await using file = await open(path);
  const meta = await newestMeta(file);
  const bolt = new BoltFile(file, meta.pageSize);
  let bucketValue: Buffer | undefined;
  for await (const bucket of bolt.elements(meta.root)) {
    if ((bucket.flags & bucketFlag) !== 0 && bucket.key.toString() === 'key') bucketValue = bucket.value;
  }
  if (bucketValue === undefined) throw new SnapshotError('the snapshot has no keys: it is not one of etcd');
  const found = bucketValue;
  const root = Number(found.readBigUInt64LE(0));
  // A small bucket lies within its parent, behind its own header.
  const entries = (): AsyncIterable<Element> | Iterable<Element> =>
    root === 0 ? leafElements(found.subarray(bucketHeaderBytes)) : bolt.elements(root);
  const last = new Map<string, string>();
  for await (const { key: revision, value } of entries()) last.set(readEntry(value).key.toString('latin1'), revision.toString('latin1'));
  for await (const { key: revision, value } of entries()) {
    const isDeleted = revision.length > revisionBytes && revision[revisionBytes] === tombstone;
    if (isDeleted) continue;
    const { key, value: content, hasLease } = readEntry(value);
    if (!hasLease && last.get(key.toString('latin1')) === revision.toString('latin1')) yield { key, value: content };
  }
}

/** bbolt writes two of them in turn; the newer whole one counts. */
async function newestMeta(file: FileHandle): Promise<Meta> {
  const a = readMeta(await readAt(file, 0, metaPageBytes));
  const sizes = a === undefined ? [4_096, 8_192, 16_384, 65_536] : [a.pageSize];
  let newest = a;
  const { size: fileBytes } = await file.stat();
  for (const size of sizes) {
    if (size + metaPageBytes > fileBytes) continue;
    const b = readMeta(await readAt(file, size, metaPageBytes));
    if (b !== undefined && (newest === undefined || b.transaction > newest.transaction)) newest = b;
  }
  if (newest === undefined) throw new SnapshotError('the snapshot has no whole meta page');
  return newest;
}
