import { createSocket } from 'node:dgram';
import { randomInt } from 'node:crypto';
import { connect, isIP } from 'node:net';
import type { Clock } from '@skiff/component-base';
import { AnswerCache } from './answer-cache.ts';
import type { Query } from './query.ts';

export interface ForwarderDeps {
  readonly clock: Clock;
  /** Read before each question that isn't cached: the host may change networks. */
  readonly servers: () => readonly string[];
  readonly port?: number;
}

/** Asks the host's nameservers, in order, the last one that failed going last for a while. */
export interface Forwarder {
  /** The answer as bytes, under the query's ID; undefined when no server gave one. */
  ask(query: Query, message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined>;
}

const tryMs = 2_000;
const wholeMs = 5_000;
const avoidMs = 10_000;
const inFlightLimit = 1_000;
const serverFailure = 2;
const refused = 5;

export function createForwarder(deps: ForwarderDeps): Forwarder {
  const { clock } = deps;
  const port = deps.port ?? 53;
  const cache = new AnswerCache();
  const avoidUntilMs = new Map<string, number>();
  const inFlight = new Map<string, Promise<Buffer | undefined>>();

  const inOrder = (): readonly string[] => {
    const nowMs = clock.monotonicMs();
    const isBad = (s: string): number => ((avoidUntilMs.get(s) ?? 0) > nowMs ? 1 : 0);
    return deps.servers().toSorted((a, b) => isBad(a) - isBad(b));
  };

  /** A socket for each question: its port is what a forger has to guess besides the ID. */
  function askUdp(server: string, message: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
    const id = randomInt(65_536);
    const question = Buffer.from(message);
    question.writeUInt16BE(id, 0);
    return new Promise((resolve) => {
      const socket = createSocket(isIP(server.split('%')[0] ?? '') === 6 ? 'udp6' : 'udp4');
      const settle = (answer: Buffer | undefined): void => {
        timer[Symbol.dispose]();
        socket.removeAllListeners();
        socket.on('error', () => undefined);
        socket.close();
        resolve(answer);
      };
      const timer = clock.after(timeoutMs, () => settle(undefined));
      socket.on('error', () => settle(undefined));
      socket.on('message', (answer) => {
        if (answer.length >= 12 && answer.readUInt16BE(0) === id && (answer[2] ?? 0) >= 0x80) settle(answer);
      });
      socket.connect(port, server, () => socket.send(question));
    });
  }

  function askTcp(server: string, message: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const socket = connect(port, server);
      const chunks: Buffer[] = [];
      const settle = (answer: Buffer | undefined): void => {
        timer[Symbol.dispose]();
        socket.destroy();
        resolve(answer);
      };
      const timer = clock.after(timeoutMs, () => settle(undefined));
      socket.on('error', () => settle(undefined));
      socket.on('close', () => settle(undefined));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length, 0);
      socket.on('connect', () => socket.write(Buffer.concat([length, message])));
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        const all = chunks.length === 1 ? chunk : Buffer.concat(chunks);
        if (all.length >= 2 && all.length >= 2 + all.readUInt16BE(0)) settle(Buffer.from(all.subarray(2, 2 + all.readUInt16BE(0))));
      });
    });
  }

  async function askServers(message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const deadlineMs = clock.monotonicMs() + wholeMs;
    let last: Buffer | undefined;
    for (const server of inOrder()) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) break;
      const answer = await (transport === 'udp' ? askUdp : askTcp)(server, message, Math.min(tryMs, leftMs));
      const rcode = (answer?.[3] ?? serverFailure) & 0xf;
      if (answer !== undefined && rcode !== serverFailure && rcode !== refused) {
        avoidUntilMs.delete(server);
        return answer;
      }
      last = answer ?? last;
      avoidUntilMs.set(server, clock.monotonicMs() + avoidMs);
    }
    return last;
  }

  return {
    ask: async (query, message, transport) => {
      const key = `${query.name.toLowerCase()} ${query.type} ${query.dnssecOk ? 'do' : ''}${query.edns ? 'e' : ''} ${transport}`;
      const cached = cache.get(key, query, clock.monotonicMs());
      if (cached !== undefined) return cached;
      let asking = inFlight.get(key);
      if (asking === undefined) {
        if (inFlight.size >= inFlightLimit) return undefined;
        asking = askServers(message, transport).finally(() => inFlight.delete(key));
        inFlight.set(key, asking);
      }
      const answer = await asking;
      if (answer === undefined || answer.length < 12 + query.question.length) return undefined;
      cache.put(key, answer, clock.monotonicMs());
      const own = Buffer.from(answer);
      own.writeUInt16BE(query.id, 0);
      query.question.copy(own, 12);
      return own;
    },
  };
}
