import { connect, type Socket } from 'node:net';
import type { RemoteInfo } from 'node:dgram';

/**
 * Carries datagrams to the DNS server in frames over a unix socket: a socket for each question of each pod would cost more than
 * the answer. Frame: length (2 bytes, of what follows), id (4), length of the address (1), address, payload; answers have
 * length, id, payload.
 */
export interface DnsRelay {
  forward(message: Buffer, from: RemoteInfo, answer: (message: Buffer) => void): void;
  close(): void;
}

const pendingLimit = 8_192;
/** Resolvers ask again after this long at the latest. */
const forgetMs = 5_000;
const reconnectMs = 50;

export function encodeQuery(id: number, address: string, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(7 + address.length + payload.length);
  frame.writeUInt16BE(5 + address.length + payload.length, 0);
  frame.writeUInt32BE(id, 2);
  frame.writeUInt8(address.length, 6);
  frame.write(address, 7, 'latin1');
  payload.copy(frame, 7 + address.length);
  return frame;
}

export function encodeAnswer(id: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(6 + payload.length);
  frame.writeUInt16BE(4 + payload.length, 0);
  frame.writeUInt32BE(id, 2);
  payload.copy(frame, 6);
  return frame;
}

/** Calls back with what follows each length. */
export function frameDecoder(onFrame: (body: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 2) {
      const length = rest.readUInt16BE(at);
      if (rest.length - at < 2 + length) break;
      onFrame(rest.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    if (at > 0) rest = rest.subarray(at);
  };
}

/** Connects when there is something to carry. While the server restarts, questions wait for it for as long as their askers do. */
export function createDnsRelay(path: string): DnsRelay {
  let socket: Socket | undefined;
  let connected = false;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;
  let lastId = 0;
  const pending = new Map<number, { frame: Buffer; sent: boolean; sinceMs: number; answer: (message: Buffer) => void }>();

  const flush = (): void => {
    for (const p of pending.values()) {
      if (p.sent) continue;
      p.sent = true;
      socket?.write(p.frame);
    }
  };
  const forgetOld = (): void => {
    const nowMs = performance.now();
    for (const [id, p] of pending) {
      if (nowMs - p.sinceMs <= forgetMs && pending.size <= pendingLimit) break;
      pending.delete(id);
    }
  };
  function open(): void {
    if (socket !== undefined || closed) return;
    const opened = connect(path);
    socket = opened;
    opened.on('connect', () => {
      connected = true;
      flush();
    });
    opened.on(
      'data',
      frameDecoder((body) => {
        const id = body.readUInt32BE(0);
        const p = pending.get(id);
        pending.delete(id);
        p?.answer(body.subarray(4));
      }),
    );
    opened.on('error', () => undefined);
    opened.on('close', () => {
      socket = undefined;
      connected = false;
      forgetOld();
      // Unanswered questions are asked again of the server's successor.
      for (const p of pending.values()) p.sent = false;
      if (pending.size > 0 && !closed) retry = setTimeout(open, reconnectMs);
    });
  }
  return {
    forward: (message, from, answer) => {
      forgetOld();
      lastId = (lastId + 1) % 2 ** 32;
      const frame = encodeQuery(lastId, from.address, message);
      pending.set(lastId, { frame, sent: connected, sinceMs: performance.now(), answer });
      if (connected) socket?.write(frame);
      else open();
    },
    close: () => {
      closed = true;
      clearTimeout(retry);
      socket?.destroy();
    },
  };
}
