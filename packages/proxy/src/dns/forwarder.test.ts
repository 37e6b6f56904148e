import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { decode, encode } from 'dns-packet';
import { systemClock } from '@skiff/component-base';
import { afterEach, describe, expect, it } from 'vitest';
import { createForwarder, type Forwarder } from './forwarder.ts';
import { parseQuery } from './query.ts';

type Answer = 'silent' | { readonly rcode?: number; readonly data?: string; readonly truncated?: boolean; readonly ttl?: number };

/** A nameserver on a loopback address of its own, over UDP and TCP. */
interface Nameserver {
  asked: number;
  answer: Answer;
}

const open: (Socket | Server)[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((s) => new Promise<void>((resolve) => s.close(() => resolve()))));
});

function respond(server: Nameserver, message: Buffer): Buffer | undefined {
  server.asked++;
  const { answer } = server;
  if (answer === 'silent') return undefined;
  const { id, questions } = decode(message);
  const name = questions?.[0]?.name ?? '';
  const flags = (answer.truncated === true ? 0x0200 : 0) | 0x0180 | (answer.rcode ?? 0);
  const answers = answer.data === undefined ? [] : [{ type: 'A' as const, name, ttl: answer.ttl ?? 60, data: answer.data }];
  const encoded = encode({ type: 'response', id: id ?? 0, flags, questions: questions ?? [], answers });
  return encoded;
}

/** One that nobody has at any address over TCP or UDP, below those that the kernel gives away. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const [tcp, udp] = [createServer(), createSocket('udp4')];
    tcp.listen(port, '0.0.0.0');
    udp.bind(port, '0.0.0.0');
    const both = await Promise.allSettled([once(tcp, 'listening'), once(udp, 'listening')]);
    tcp.close();
    udp.close();
    if (both.every((b) => b.status === 'fulfilled')) {
      await once(tcp, 'close');
      return port;
    }
  }
}

async function start(answers: Readonly<Record<string, Answer>>): Promise<{ forwarder: Forwarder; servers: Record<string, Nameserver> }> {
  const servers: Record<string, Nameserver> = {};
  const port = await freePort();
  for (const [address, answer] of Object.entries(answers)) {
    const server: Nameserver = { asked: 0, answer };
    servers[address] = server;
    const tcp = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        const reply = respond(server, chunk.subarray(2));
        if (reply === undefined) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length, 0);
        socket.end(Buffer.concat([length, reply]));
      });
    });
    await once(tcp.listen(port, address), 'listening');
    const udp = createSocket('udp4');
    udp.on('message', (message, from) => {
      const reply = respond(server, message);
      if (reply !== undefined) udp.send(reply, from.port, from.address);
    });
    await once(udp.bind(port, address), 'listening');
    open.push(tcp, udp);
  }
  return { servers, forwarder: createForwarder({ clock: systemClock, servers: () => Object.keys(answers), port }) };
}

let lastId = 100;
async function ask(forwarder: Forwarder, name: string, transport: 'udp' | 'tcp' = 'udp'): Promise<unknown> {
  const id = lastId++;
  const message = encode({ type: 'query', id, flags: 0x0100, questions: [{ type: 'A', name }] });
  const query = parseQuery(message);
  if (query === undefined) throw new Error('the query is malformed');
  const answer = await forwarder.ask(query, message, transport);
  if (answer === undefined) return 'no answer';
  expect(answer.readUInt16BE(0)).toBe(id);
  const decoded = decode(answer);
  const truncated = (answer.readUInt16BE(2) & 0x0200) !== 0;
  const rcode = answer.readUInt16BE(2) & 0xf;
  const data = (decoded.answers ?? []).map((a) => (a.type === 'A' ? a.data : a.type));
  return truncated ? 'truncated' : rcode === 0 ? data : rcode;
}

describe('names outside the cluster', () => {
  it('are asked of the next server when one is silent, and of that one last for a while', async () => {
    const { forwarder, servers } = await start({ '127.0.0.31': 'silent', '127.0.0.32': { data: '192.0.2.1' } });
    expect(await ask(forwarder, 'a.example')).toEqual(['192.0.2.1']);
    expect(servers['127.0.0.31']?.asked).toBe(1);
    expect(await ask(forwarder, 'b.example')).toEqual(['192.0.2.1']);
    expect(servers['127.0.0.31']?.asked).toBe(1);
  });
  it('are asked of the next server when one fails or refuses; that there is no such name is an answer', async () => {
    const { forwarder, servers } = await start({ '127.0.0.33': { rcode: 2 }, '127.0.0.34': { rcode: 3 } });
    expect(await ask(forwarder, 'a.example')).toBe(3);
    expect([servers['127.0.0.33']?.asked, servers['127.0.0.34']?.asked]).toEqual([1, 1]);
  });
  it('are kept for their time to live, and asked once by many', async () => {
    const { forwarder, servers } = await start({ '127.0.0.35': { data: '192.0.2.1' } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(forwarder, 'a.example')));
    expect(answers).toEqual(Array.from({ length: 20 }, () => ['192.0.2.1']));
    expect(await ask(forwarder, 'A.example')).toEqual(['192.0.2.1']);
    expect(servers['127.0.0.35']?.asked).toBe(1);
  });
  it('come truncated when they are, so that the asker tries TCP, and are not kept so', async () => {
    const { forwarder, servers } = await start({ '127.0.0.36': { truncated: true } });
    const [server] = Object.values(servers);
    expect(await ask(forwarder, 'a.example')).toBe('truncated');
    if (server !== undefined) server.answer = { data: '192.0.2.9' };
    expect(await ask(forwarder, 'a.example', 'tcp')).toEqual(['192.0.2.9']);
    expect(await ask(forwarder, 'a.example')).toEqual(['192.0.2.9']);
  });
  it('end without an answer when nobody gives one', async () => {
    const { forwarder } = await start({ '127.0.0.37': { rcode: 5 } });
    expect(await ask(forwarder, 'a.example')).toBe(5);
    const none = createForwarder({ clock: systemClock, servers: () => [] });
    expect(await ask(none, 'a.example')).toBe('no answer');
  });
});
