/** SPDY/3.1 framing (draft-mbelshe-httpbis-spdy-00, 2.2): what Kubernetes' stream protocols use of it. */
export const frameTypes = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
export const flagFin = 1;

const version = 3;
const headerBytes = 8;

export type SpdyFrame =
  | { readonly kind: 'data'; readonly streamId: number; readonly flags: number; readonly payload: Buffer }
  | { readonly kind: 'control'; readonly type: number; readonly flags: number; readonly payload: Buffer };

/** Incremental parser. Throws on a version that is not 3. */
export function createSpdyParser(): (chunk: Buffer) => SpdyFrame[] {
  let buffered: Buffer = Buffer.alloc(0);
  return (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    const frames: SpdyFrame[] = [];
    let offset = 0;
    while (buffered.length - offset >= headerBytes) {
      const first = buffered.readUInt32BE(offset);
      const flags = buffered[offset + 4] ?? 0;
      const length = buffered.readUIntBE(offset + 5, 3);
      if (buffered.length - offset < headerBytes + length) break;
      const payload = buffered.subarray(offset + headerBytes, offset + headerBytes + length);
      if (first >>> 31 === 1) {
        if (((first >>> 16) & 0x7fff) !== version) throw new Error(`unsupported SPDY version ${(first >>> 16) & 0x7fff}`);
        frames.push({ kind: 'control', type: first & 0xffff, flags, payload });
      } else frames.push({ kind: 'data', streamId: first & 0x7fffffff, flags, payload });
      offset += headerBytes + length;
    }
    buffered = buffered.subarray(offset);
    return frames;
  };
}

function head(first: number, flags: number, length: number): Buffer {
  const out = Buffer.alloc(headerBytes);
  out.writeUInt32BE(first >>> 0, 0);
  out[4] = flags;
  out.writeUIntBE(length, 5, 3);
  return out;
}

export const encodeControl = (type: number, flags: number, payload: Buffer): Buffer =>
  Buffer.concat([head((0x80000000 | (version << 16) | type) >>> 0, flags, payload.length), payload]);

export const encodeDataHead = (streamId: number, flags: number, length: number): Buffer => head(streamId, flags, length);

export const uint32 = (...values: readonly number[]): Buffer => {
  const out = Buffer.alloc(values.length * 4);
  values.forEach((v, i) => out.writeUInt32BE(v >>> 0, i * 4));
  return out;
};

/** Names are lower case; several values of a name are joined by NUL on the wire. */
export type SpdyHeaders = ReadonlyMap<string, string>;

export function encodeHeaderBlock(headers: SpdyHeaders): Buffer {
  const parts: Buffer[] = [uint32(headers.size)];
  for (const [name, value] of headers) {
    for (const text of [name, value]) {
      const bytes = Buffer.from(text, 'latin1');
      parts.push(uint32(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

/** Throws on a block that is cut short. */
export function decodeHeaderBlock(block: Buffer): SpdyHeaders {
  const headers = new Map<string, string>();
  let offset = 0;
  const number = (): number => {
    const value = block.readUInt32BE(offset);
    offset += 4;
    return value;
  };
  const text = (): string => {
    const length = number();
    if (offset + length > block.length) throw new Error('a SPDY header block is cut short');
    offset += length;
    return block.toString('latin1', offset - length, offset);
  };
  for (let count = number(); count > 0; count--) {
    const name = text();
    headers.set(name, text());
  }
  return headers;
}
