import { decode } from 'dns-packet';
import type { Clock } from '@skiff/component-base';
import type { Forwarder } from './forwarder.ts';
import { encodeReply, rcodes, type Rcode, type Reply } from './message.ts';
import { parseQuery, type Query } from './query.ts';
import type { ZoneAnswer, ZoneRecord } from './zone.ts';

export interface ResolverDeps {
  readonly zone: { answer(name: string, type: string): ZoneAnswer };
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly random: () => number;
  /** false before the first list: then nothing is known, and saying "no such name" would be a lie. */
  readonly isSynced: () => boolean;
  readonly onAnswer?: (type: string, rcode: number) => void;
}

export interface Resolver {
  /** The answer to a message; undefined when it deserves none (it isn't a query at all). Never rejects. */
  resolve(message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined>;
}

const ttlSeconds = 5;
const longestChain = 8;
const tcpBytes = 65_535;

/** `domain` is the zone of the SOA record in negative answers. */
export function createResolver(config: { domain: string }, deps: ResolverDeps): Resolver {
  const { zone, forwarder, clock, random } = deps;

  function encode(query: Query, transport: 'udp' | 'tcp', part: Pick<Reply, 'rcode' | 'answers'> & Partial<Reply>): Buffer {
    deps.onAnswer?.(query.type, part.rcode);
    return encodeReply(
      {
        id: query.id,
        question: query.question,
        recursionDesired: query.recursionDesired,
        authoritative: true,
        additionals: [],
        soa: { zone: config.domain, serial: Math.floor(clock.now() / 1000) },
        ttlSeconds,
        edns: query.edns,
        ...part,
      },
      transport === 'udp' ? query.udpPayload : tcpBytes,
    );
  }

  /** Spreads clients that take the first address over all of them. */
  function shuffled(records: readonly ZoneRecord[]): readonly ZoneRecord[] {
    if (records.length < 2) return records;
    const list = [...records];
    for (let i = list.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [list[i], list[j]] = [list[j] as ZoneRecord, list[i] as ZoneRecord];
    }
    return list;
  }

  /** What an external name's target resolves to: the address records and aliases that the host's servers tell. */
  async function askOutside(query: Query, name: string): Promise<readonly ZoneRecord[]> {
    const type = query.type === 'AAAA' ? 28 : 1;
    const labels = name.split('.').filter((l) => l !== '');
    const encodedName = Buffer.concat([
      ...labels.map((l) => Buffer.concat([Buffer.from([l.length]), Buffer.from(l, 'latin1')])),
      Buffer.from([0]),
    ]);
    const question = Buffer.concat([encodedName, Buffer.from([0, type, 0, 1])]);
    const message = Buffer.concat([Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), question]);
    const asked: Query = { ...query, id: 0, name, question, edns: false, dnssecOk: false };
    const answer = await forwarder.ask(asked, message, 'udp');
    if (answer === undefined) return [];
    const records: ZoneRecord[] = [];
    for (const a of decode(answer).answers ?? []) {
      if ((a.type === 'A' || a.type === 'AAAA' || a.type === 'CNAME') && typeof a.data === 'string')
        records.push({ type: a.type, name: a.name, data: a.data });
    }
    return records;
  }

  /** Follows aliases inside the zone and, at most one step, out of it. */
  async function follow(query: Query, first: readonly ZoneRecord[]): Promise<readonly ZoneRecord[]> {
    const chain = [...first];
    for (let step = 0; step < longestChain; step++) {
      const last = chain.at(-1);
      if (last?.type !== 'CNAME' || query.type === 'CNAME') return chain;
      const next = zone.answer(last.data, query.type);
      if (next.kind === 'not-ours') {
        if (query.type === 'A' || query.type === 'AAAA') chain.push(...(await askOutside(query, last.data)));
        return chain;
      }
      if (next.kind !== 'found' || next.records.length === 0) return chain;
      chain.push(...next.records);
    }
    return chain;
  }

  async function answer(query: Query, message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer> {
    const refuse = (rcode: Rcode): Buffer => encode(query, transport, { rcode, answers: [], soa: undefined, authoritative: false });
    if (!query.isStandard) return refuse(rcodes.notImplemented);
    const own: ZoneAnswer = query.isInternet ? zone.answer(query.name, query.type) : { kind: 'not-ours' };
    if (own.kind === 'not-ours') {
      const forwarded = await forwarder.ask(query, message, transport);
      if (forwarded !== undefined) deps.onAnswer?.(query.type, (forwarded[3] ?? 0) & 0xf);
      return forwarded === undefined ? refuse(rcodes.serverFailure) : fit(forwarded, query, transport);
    }
    if (!deps.isSynced() && (own.kind === 'no-such-name' || own.records.length === 0)) return refuse(rcodes.serverFailure);
    if (own.kind === 'no-such-name') return encode(query, transport, { rcode: rcodes.noSuchName, answers: [] });
    const records = own.records[0]?.type === 'CNAME' ? await follow(query, own.records) : shuffled(own.records);
    return encode(query, transport, { rcode: rcodes.noError, answers: records, additionals: own.additionals });
  }

  return {
    resolve: async (message, transport) => {
      const query = parseQuery(message);
      if (query === undefined) return formatError(message);
      try {
        return await answer(query, message, transport);
      } catch {
        // A malformed answer from outside; the asker tries again or elsewhere.
        return encode(query, transport, { rcode: rcodes.serverFailure, answers: [], soa: undefined });
      }
    },
  };
}

/** An answer that is too long for the asker comes back empty and truncated: it asks again over TCP. */
function fit(message: Buffer, query: Query, transport: 'udp' | 'tcp'): Buffer {
  if (transport === 'tcp' || message.length <= query.udpPayload) return message;
  const cut = Buffer.from(message.subarray(0, 12 + query.question.length));
  cut.writeUInt16BE(cut.readUInt16BE(2) | 0x0200, 2);
  for (const at of [6, 8, 10]) cut.writeUInt16BE(0, at);
  return cut;
}

function formatError(message: Buffer): Buffer | undefined {
  if (message.length < 12 || (message.readUInt16BE(2) & 0x8000) !== 0) return undefined;
  const header = Buffer.alloc(12);
  header.writeUInt16BE(message.readUInt16BE(0), 0);
  header.writeUInt16BE(0x8000 | (message.readUInt16BE(2) & 0x7900) | rcodes.formatError, 2);
  return header;
}
