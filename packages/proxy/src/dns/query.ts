import { decode, type DecodedPacket } from 'dns-packet';

/** What this server needs of a query. */
export interface Query {
  readonly id: number;
  readonly name: string;
  /** `A`, `SRV` …; `UNKNOWN_n` for types without a name. */
  readonly type: string;
  readonly isInternet: boolean;
  readonly isStandard: boolean;
  readonly recursionDesired: boolean;
  /** Bytes of the question section. */
  readonly question: Buffer;
  readonly edns: boolean;
  readonly dnssecOk: boolean;
  /** The largest answer that the asker takes over UDP. */
  readonly udpPayload: number;
}

const headerBytes = 12;
const smallestPayload = 512;
const largestPayload = 4096;

/** The end of the name that starts at `at`, or undefined when the message ends in it. */
export function endOfName(message: Buffer, at: number): number | undefined {
  for (let i = at; i < message.length; ) {
    const length = message[i] ?? 0;
    if (length === 0) return i + 1;
    if (length >= 0xc0) return i + 2;
    i += 1 + length;
  }
  return undefined;
}

/** undefined when the message is no query with exactly one question. */
export function parseQuery(message: Buffer): Query | undefined {
  if (message.length < headerBytes) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & 0x8000) !== 0 || message.readUInt16BE(4) !== 1) return undefined;
  const nameEnd = endOfName(message, headerBytes);
  if (nameEnd === undefined || nameEnd + 4 > message.length) return undefined;
  let packet: DecodedPacket;
  try {
    packet = decode(message);
  } catch {
    // Whatever is wrong with it, it can't be answered but with a format error.
    return undefined;
  }
  const question = packet.questions?.[0];
  if (question === undefined) return undefined;
  const opt = packet.additionals?.find((a) => a.type === 'OPT');
  const udpPayload = opt?.type === 'OPT' ? Math.min(Math.max(opt.udpPayloadSize, smallestPayload), largestPayload) : smallestPayload;
  return {
    id: message.readUInt16BE(0),
    name: question.name,
    type: question.type,
    isInternet: (question.class ?? 'IN') === 'IN',
    isStandard: ((flags >> 11) & 0xf) === 0,
    recursionDesired: (flags & 0x0100) !== 0,
    question: message.subarray(headerBytes, nameEnd + 4),
    edns: opt !== undefined,
    dnssecOk: opt?.type === 'OPT' && opt.flag_do,
    udpPayload,
  };
}
