import { FakeClock } from '@skiff/component-base';
import { decode, encode, RECURSION_DESIRED, type Packet } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { AnswerCache, findTtls } from './answer-cache.ts';
import type { Forwarder } from './forwarder.ts';
import { addressBytes } from './message.ts';
import { parseQuery } from './query.ts';
import { parseNameservers, upstreamServers } from './resolv-conf.ts';
import { createResolver } from './resolver.ts';
import type { ZoneAnswer, ZoneRecord } from './zone.ts';

const many = (n: number): readonly ZoneRecord[] =>
  Array.from({ length: n }, (_, i) => ({ type: 'A', name: 'many.svc.cluster.local', data: `10.0.${i >> 8}.${i & 255}` }));
const zone: Readonly<Record<string, ZoneAnswer>> = {
  'a.cluster.local': { kind: 'found', records: [{ type: 'A', name: 'a.cluster.local', data: '10.0.0.1' }], additionals: [] },
  'empty.cluster.local': { kind: 'found', records: [], additionals: [] },
  'absent.cluster.local': { kind: 'no-such-name' },
  'many.svc.cluster.local': { kind: 'found', records: many(200), additionals: [] },
  'ten.svc.cluster.local': { kind: 'found', records: many(10), additionals: [] },
  'alias.cluster.local': {
    kind: 'found',
    records: [{ type: 'CNAME', name: 'alias.cluster.local', data: 'a.cluster.local' }],
    additionals: [],
  },
  'away.cluster.local': { kind: 'found', records: [{ type: 'CNAME', name: 'away.cluster.local', data: 'example.org' }], additionals: [] },
  'loop.cluster.local': {
    kind: 'found',
    records: [{ type: 'CNAME', name: 'loop.cluster.local', data: 'loop.cluster.local' }],
    additionals: [],
  },
  'six.cluster.local': { kind: 'found', records: [{ type: 'AAAA', name: 'six.cluster.local', data: 'fd00::1:2' }], additionals: [] },
};
const forwarder: Forwarder = {
  ask: (query) => {
    if (!query.name.endsWith('example.org')) return Promise.resolve(undefined);
    const answers: Packet['answers'] = [{ type: 'A', name: query.name, ttl: 300, data: '192.0.2.80' }];
    return Promise.resolve(encode({ type: 'response', id: query.id, questions: [{ type: 'A', name: query.name }], answers }));
  },
};
let synced = true;
const resolver = createResolver(
  { domain: 'cluster.local' },
  {
    zone: { answer: (name) => zone[name.toLowerCase()] ?? { kind: 'not-ours' } },
    forwarder,
    clock: new FakeClock(),
    random: () => 0.5,
    isSynced: () => synced,
  },
);

const query = (name: string, more: Partial<Packet> = {}): Buffer =>
  encode({ type: 'query', id: 77, flags: RECURSION_DESIRED, questions: [{ type: 'A', name }], ...more });
const edns = (udpPayloadSize: number): Partial<Packet> => ({
  additionals: [{ type: 'OPT', name: '.', udpPayloadSize, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }],
});
async function ask(name: string, o: { transport?: 'udp' | 'tcp'; more?: Partial<Packet> } = {}) {
  const answer = await resolver.resolve(query(name, o.more), o.transport ?? 'udp');
  if (answer === undefined) throw new Error('no answer');
  const packet = decode(answer);
  const data = (packet.answers ?? []).map((a) => `${a.name} ${a.type} ${'data' in a ? JSON.stringify(a.data) : ''}`);
  return {
    bytes: answer.length,
    packet,
    data,
    rcode: (packet as unknown as { rcode: string }).rcode,
    soa: packet.authorities?.[0]?.type === 'SOA',
  };
}

describe('resolver', () => {
  it("answers with the query's ID, flags and question", async () => {
    const { packet, data, rcode } = await ask('a.cluster.local');
    expect([packet.id, rcode, packet.flag_aa, packet.flag_rd, packet.flag_ra, packet.flag_tc]).toEqual([
      77,
      'NOERROR',
      true,
      true,
      true,
      false,
    ]);
    expect(data).toEqual(['a.cluster.local A "10.0.0.1"']);
    expect(packet.answers?.[0]).toMatchObject({ ttl: 5 });
  });
  it('gives the name back as it was written', async () =>
    expect((await ask('A.cLuster.local')).packet.questions?.[0]?.name).toBe('A.cLuster.local'));
  it('tells "no such name" from "nothing of this type", both with the zone\'s SOA', async () => {
    const empty = await ask('empty.cluster.local');
    expect([empty.rcode, empty.data, empty.soa]).toEqual(['NOERROR', [], true]);
    const absent = await ask('absent.cluster.local');
    expect([absent.rcode, absent.data, absent.soa]).toEqual(['NXDOMAIN', [], true]);
  });
  it('claims no name to be absent before it knows', async () => {
    synced = false;
    expect((await ask('absent.cluster.local')).rcode).toBe('SERVFAIL');
    expect((await ask('a.cluster.local')).rcode).toBe('NOERROR');
    synced = true;
  });
  it('follows aliases inside and outside of the cluster, and not in circles', async () => {
    expect((await ask('alias.cluster.local')).data).toEqual([
      'alias.cluster.local CNAME "a.cluster.local"',
      'a.cluster.local A "10.0.0.1"',
    ]);
    expect((await ask('away.cluster.local')).data).toEqual(['away.cluster.local CNAME "example.org"', 'example.org A "192.0.2.80"']);
    expect((await ask('loop.cluster.local')).data.length).toBeLessThan(10);
  });
  it('fits ten addresses into 512 bytes, and cuts what does not fit', async () => {
    const ten = await ask('ten.svc.cluster.local');
    expect([ten.data.length, ten.packet.flag_tc]).toEqual([10, false]);
    const cut = await ask('many.svc.cluster.local');
    expect([cut.packet.flag_tc, cut.bytes <= 512, cut.data.length > 20]).toEqual([true, true, true]);
    const larger = await ask('many.svc.cluster.local', { more: edns(1232) });
    expect([larger.packet.flag_tc, larger.bytes <= 1232, larger.data.length > 60]).toEqual([true, true, true]);
    expect(larger.packet.additionals?.[0]?.type).toBe('OPT');
    const whole = await ask('many.svc.cluster.local', { transport: 'tcp' });
    expect([whole.packet.flag_tc, whole.data.length]).toEqual([false, 200]);
  });
  it('encodes IPv6', async () => {
    const six = await ask('six.cluster.local');
    expect(six.data).toEqual(['six.cluster.local AAAA "fd00::1:2"']);
    expect(addressBytes('::').every((b) => b === 0)).toBe(true);
    expect(addressBytes('2001:db8::1').toString('hex')).toBe('20010db8000000000000000000000001');
  });
  it('says SERVFAIL when nobody outside answers', async () => expect((await ask('unknown.test')).rcode).toBe('SERVFAIL'));
  it('passes on what others answer', async () => {
    const { packet, data } = await ask('www.example.org');
    expect([packet.id, data]).toEqual([77, ['www.example.org A "192.0.2.80"']]);
  });
  it("refuses what it can't read and ignores what is no query", async () => {
    const noQuestion = encode({ type: 'query', id: 5, questions: [] });
    expect((await resolver.resolve(noQuestion, 'udp'))?.readUInt16BE(2)).toBe(0x8001);
    expect(await resolver.resolve(Buffer.from('x'), 'udp')).toBeUndefined();
    expect(await resolver.resolve(encode({ type: 'response', id: 5, questions: [] }), 'udp')).toBeUndefined();
    const update = query('a.cluster.local');
    update.writeUInt16BE(0x2800, 2);
    expect(((await resolver.resolve(update, 'udp'))?.readUInt16BE(2) ?? 0) & 0xf).toBe(4);
    for (let cut = 12; cut < 30; cut++) await resolver.resolve(query('a.cluster.local').subarray(0, cut), 'udp');
  });
});

describe('cache', () => {
  const answerFor = (name: string, ttl: number, records = 1): Buffer =>
    encode({
      type: 'response',
      id: 1,
      questions: [{ type: 'A', name }],
      answers: Array.from({ length: records }, () => ({ type: 'A', name, ttl, data: '192.0.2.1' })),
    });
  const asked = (name: string) => {
    const q = parseQuery(query(name));
    if (q === undefined) throw new Error('no query');
    return q;
  };
  it('gives answers back under the new ID, aged', () => {
    const cache = new AnswerCache();
    cache.put('k', answerFor('x.org', 20), 0);
    const got = cache.get('k', asked('X.org'), 6_500);
    if (got === undefined) throw new Error('not cached');
    const packet = decode(got);
    expect([packet.id, packet.questions?.[0]?.name, packet.answers?.[0]]).toMatchObject([77, 'X.org', { ttl: 14 }]);
    expect(cache.get('k', asked('x.org'), 20_001)).toBeUndefined();
  });
  it('keeps nothing longer than 30 s, negative answers 5 s, failures not at all', () => {
    const cache = new AnswerCache();
    cache.put('long', answerFor('x.org', 9_999), 0);
    expect(cache.get('long', asked('x.org'), 29_000)).toBeDefined();
    expect(cache.get('long', asked('x.org'), 31_000)).toBeUndefined();
    cache.put('zero', answerFor('x.org', 0), 0);
    expect(cache.get('zero', asked('x.org'), 1)).toBeUndefined();
    const failure = answerFor('x.org', 60);
    failure.writeUInt8(2, 3);
    cache.put('failure', failure, 0);
    expect(cache.get('failure', asked('x.org'), 1)).toBeUndefined();
    const absent = answerFor('x.org', 60, 1);
    absent.writeUInt8(3, 3);
    cache.put('absent', absent, 0);
    expect(cache.get('absent', asked('x.org'), 4_000)).toBeDefined();
    expect(cache.get('absent', asked('x.org'), 6_000)).toBeUndefined();
  });
  it('is not led astray by malformed messages', () => {
    const whole = answerFor('x.org', 60, 2);
    for (let cut = 0; cut < whole.length; cut++) expect(findTtls(whole.subarray(0, cut))).toBeUndefined();
    expect(findTtls(whole)?.offsets).toHaveLength(2);
  });
});

describe('resolv.conf', () => {
  it('lists nameservers in order', () => {
    expect(
      parseNameservers('# x\nnameserver 10.0.0.1\n\tnameserver fe80::1%eth0 \nnameserver bad\noptions ndots:5\nnameserver 10.0.0.1\n'),
    ).toEqual(['10.0.0.1', 'fe80::1%eth0']);
  });
  it('looks behind stubs and never at itself', () => {
    const files: Record<string, string> = {
      '/etc/resolv.conf': 'nameserver 127.0.0.53\nnameserver 10.96.0.10\n',
      '/run/systemd/resolve/resolv.conf': 'nameserver 192.0.2.1\n',
    };
    const isOwn = (a: string): boolean => a.startsWith('10.96.');
    expect(upstreamServers((path) => files[path], isOwn)).toEqual(['127.0.0.53', '192.0.2.1']);
    expect(upstreamServers(() => undefined, isOwn)).toEqual([]);
  });
});
