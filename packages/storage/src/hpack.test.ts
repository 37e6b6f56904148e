import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeHeaders, encodeHeaders } from './hpack.ts';
import { Http2Connection } from './http2-connection.ts';

const decoded = (block: Buffer): string[][] => {
  const out: string[][] = [];
  decodeHeaders(block, (name, value) => out.push([name, value]));
  return out;
};

describe('header blocks', () => {
  it('are read as they were written', () => {
    const headers = [
      [':path', '/etcdserverpb.KV/Txn'],
      ['token', 'x'.repeat(5000)],
      ['', ''],
    ] as const;
    expect(decoded(encodeHeaders(headers))).toEqual(headers);
  });

  // RFC 7541, C.4.1 and C.6.1: Huffman codes and indices.
  it.each([
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      [
        ['', ''],
        ['', ''],
        ['', ''],
        ['', 'www.example.com'],
      ],
    ],
    ['4082497f8649509999 99'.replace(' ', ''), undefined],
    ['88', [[':status', '200']]],
    ['4803333032', [[':status', '302']]],
    ['20 88'.replace(' ', ''), [[':status', '200']]],
  ] as const)('%s', (hex, expected) => {
    if (expected === undefined) expect(() => decoded(Buffer.from(hex, 'hex'))).toThrow();
    else expect(decoded(Buffer.from(hex, 'hex'))).toEqual(expected);
  });

  it.each([
    ['an index of the dynamic table', 'be'],
    ['a name that is cut off', '0005616263'],
    ['a value that is missing', '000161'],
    ['a number without end', `7f${'ff'.repeat(12)}`],
  ])('%s is refused', (_, hex) => {
    expect(() => decoded(Buffer.from(hex, 'hex'))).toThrow();
  });
});

describe('against another implementation', () => {
  let server: Http2Server;
  beforeAll(async () => {
    server = createServer();
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200, everything: printable }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': printable }));
      stream.end('done');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));
  const printable = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('');

  it('every printable character is understood', async () => {
    const socket = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
    const connection = new Http2Connection(socket, { retired: () => undefined });
    const seen: string[][] = [];
    let body = '';
    const request = encodeHeaders([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'x'],
    ]);
    await new Promise<void>((resolve, reject) => {
      connection.request(request, Buffer.from('x'), {
        headers: (block) => seen.push(...decoded(block)),
        data: (piece) => {
          body += piece.toString();
        },
        closed: (failure) => (failure === undefined ? resolve() : reject(failure)),
      });
    });
    connection.close();
    expect(body).toBe('done');
    expect(seen).toContainEqual([':status', '200']);
    expect(seen).toContainEqual(['everything', printable]);
    expect(seen).toContainEqual(['grpc-message', printable]);
  });
});
