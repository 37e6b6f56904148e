import {
  type AddressesDrained,
  type Dial,
  type DialFailed,
  type DrainAddresses,
  type DrainRequest,
  type DrainResponse,
  dialFailures,
  type Frame,
  type HostPort,
  type NodeMessage,
  type ServerMessage,
} from './messages.ts';

/** A protobuf message that is broken, or no message at all. */
export class WireError extends Error {}

/** How one message looks in protobuf. Absent scalars are zero values, as proto3 has them; unknown fields are skipped. */
export interface Codec<T> {
  encode(message: T): Buffer;
  /** Throws WireError. Byte fields are views of `bytes`. */
  decode(bytes: Buffer): T;
}

/** One kind of field: what stands for it when it is absent, and its bytes. */
interface Kind {
  readonly wireType: 0 | 2;
  readonly absent: unknown;
  readonly repeated?: true;
  toWire(value: unknown): number | Buffer;
  fromWire(value: number | Buffer): unknown;
}

const text: Kind = {
  wireType: 2,
  absent: '',
  toWire: (v) => Buffer.from(v as string),
  fromWire: (v) => (v as Buffer).toString('utf8'),
};
const texts: Kind = { ...text, absent: [], repeated: true };
const bytes: Kind = { wireType: 2, absent: undefined, toWire: (v) => v as Buffer, fromWire: (v) => v };
const uint32: Kind = { wireType: 0, absent: 0, toWire: (v) => v as number, fromWire: (v) => v };
const bool: Kind = { wireType: 0, absent: false, toWire: (v) => (v === true ? 1 : 0), fromWire: (v) => v !== 0 };
const enumOf = (names: readonly string[]): Kind => ({
  wireType: 0,
  absent: names[0],
  toWire: (v) => Math.max(0, names.indexOf(v as string)),
  fromWire: (v) => names[v as number] ?? names[0],
});
const nested = <T>(codec: Codec<T>): Kind => ({
  wireType: 2,
  absent: undefined,
  toWire: (v) => codec.encode(v as T),
  fromWire: (v) => codec.decode(v as Buffer),
});

const encodeVarint = (out: number[], value: number): void => {
  let rest = value >>> 0;
  for (; rest > 127; rest >>>= 7) out.push((rest & 127) | 128);
  out.push(rest);
};

/** A varint of up to 64 bits, of which the lower 32 count. */
function readVarint(input: Buffer, at: number): { value: number; next: number } {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = input[at + i];
    if (byte === undefined) break;
    if (i < 5) value |= (byte & 127) << (7 * i);
    if (byte < 128) return { value: value >>> 0, next: at + i + 1 };
  }
  throw new WireError('a number is cut short');
}

function readField(input: Buffer, at: number): { field: number; wireType: number; value: number | Buffer; next: number } {
  const tag = readVarint(input, at);
  const [field, wireType] = [tag.value >>> 3, tag.value & 7];
  if (wireType === 0) return { field, wireType, ...readVarint(input, tag.next) };
  const length = wireType === 2 ? readVarint(input, tag.next) : { value: wireType === 1 ? 8 : 4, next: tag.next };
  if (wireType !== 1 && wireType !== 2 && wireType !== 5) throw new WireError(`wire type ${wireType} is unknown`);
  const next = length.next + length.value;
  if (next > input.length) throw new WireError('a field is cut short');
  return { field, wireType, value: input.subarray(length.next, next), next };
}

function codec<T extends object>(fields: Readonly<Record<string, readonly [number, Kind]>>): Codec<T> {
  const byNumber = new Map(Object.entries(fields).map(([name, [number, kind]]) => [number, { name, kind }]));
  return {
    encode: (message) => {
      const parts: Buffer[] = [];
      for (const [name, [number, kind]] of Object.entries(fields)) {
        const given = (message as Readonly<Record<string, unknown>>)[name];
        const isNested = kind.absent === undefined;
        if (given === undefined || given === null || (!isNested && !kind.repeated && given === kind.absent)) continue;
        for (const value of kind.repeated ? (given as readonly unknown[]) : [given]) {
          const head: number[] = [];
          encodeVarint(head, number * 8 + kind.wireType);
          const wire = kind.toWire(value);
          encodeVarint(head, typeof wire === 'number' ? wire : wire.length);
          parts.push(Buffer.from(head));
          if (typeof wire !== 'number') parts.push(wire);
        }
      }
      return Buffer.concat(parts);
    },
    decode: (input) => {
      const out: Record<string, unknown> = {};
      for (const [name, [, kind]] of Object.entries(fields)) {
        if (kind.absent !== undefined) out[name] = kind.repeated ? [] : kind.absent;
      }
      for (let at = 0; at < input.length; ) {
        const { field, wireType, value, next } = readField(input, at);
        at = next;
        const known = byNumber.get(field);
        if (known === undefined) continue;
        if (wireType !== known.kind.wireType) throw new WireError(`field ${known.name} has wire type ${wireType}`);
        const decoded = known.kind.fromWire(value);
        if (known.kind.repeated) (out[known.name] as unknown[]).push(decoded);
        else out[known.name] = decoded;
      }
      return out as T;
    },
  };
}

const empty = nested(codec<object>({}));
const hostPort = nested(codec<HostPort>({ host: [1, text], port: [2, uint32] }));
const target = nested(codec<NonNullable<Dial['target']>>({ kubelet: [1, empty], pod: [2, hostPort], address: [3, hostPort] }));

export const serverMessage = codec<ServerMessage>({
  welcome: [1, nested(codec<{ serverId: string }>({ serverId: [1, text] }))],
  dial: [2, nested(codec<Dial>({ id: [1, text], target: [2, target], timeoutMs: [3, uint32] }))],
  drainAddresses: [3, nested(codec<DrainAddresses>({ id: [1, text], addresses: [2, texts], lingerMs: [3, uint32] }))],
});

export const nodeMessage = codec<NodeMessage>({
  register: [1, empty],
  dialFailed: [2, nested(codec<DialFailed>({ id: [1, text], reason: [2, enumOf(dialFailures)], message: [3, text] }))],
  addressesDrained: [
    3,
    nested(codec<AddressesDrained>({ id: [1, text], openConnections: [2, uint32], finished: [3, bool], error: [4, text] })),
  ],
});

export const frame = codec<Frame>({
  data: [1, bytes],
  end: [2, empty],
  reset: [3, nested(codec<{ message: string }>({ message: [1, text] }))],
});

export const drainRequest = codec<DrainRequest>({
  podNamespace: [1, text],
  podName: [2, text],
  podUid: [3, text],
  chooseTimeoutMs: [4, uint32],
  lingerMs: [5, uint32],
});

export const drainResponse = codec<DrainResponse>({ inService: [1, bool], openConnections: [2, uint32] });

/** What stands before the bytes of a data frame of that length, so that they need not be copied. */
export function dataFrameHead(length: number): Buffer {
  const head = [0x0a];
  encodeVarint(head, length);
  return Buffer.from(head);
}
