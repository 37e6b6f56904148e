import { fileURLToPath } from 'node:url';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { describe, expect, it } from 'vitest';
import type { DrainRequest, DrainResponse, Frame, NodeMessage, ServerMessage } from './messages.ts';
import { tunnelMethods } from './node/definition.ts';
import { type Codec, dataFrameHead, drainRequest, drainResponse, frame, nodeMessage, serverMessage, WireError } from './wire.ts';

const file = fileURLToPath(new URL('../../../proto/skiff/tunnel/v1/tunnel.proto', import.meta.url));
const service = loadSync(file, { keepCase: false, longs: Number, enums: String, defaults: true, oneofs: true })[
  'skiff.tunnel.v1.Tunnel'
] as ServiceDefinition;
const definition = {
  open: service['Open'] as MethodDefinition<NodeMessage, ServerMessage>,
  connect: service['Connect'] as MethodDefinition<Frame, Frame>,
  drain: service['Drain'] as MethodDefinition<DrainRequest, DrainResponse>,
};

const serverMessages: readonly ServerMessage[] = [
  { welcome: { serverId: 'ä1' } },
  { dial: { id: '7', target: { kubelet: {} }, timeoutMs: 10_000 } },
  { dial: { id: '8', target: { pod: { host: '10.244.0.5', port: 65_535 } }, timeoutMs: 0 } },
  { dial: { id: '9', target: { address: { host: 'web.example', port: 80 } }, timeoutMs: 4_294_967_295 } },
  { drainAddresses: { id: 'd', addresses: ['10.244.0.5', 'fd00::5'], lingerMs: 5000 } },
];
const nodeMessages: readonly NodeMessage[] = [
  { register: {} },
  { dialFailed: { id: '1', reason: 'UNREACHABLE', message: '' } },
  { dialFailed: { id: '2', reason: 'EXHAUSTED', message: 'full' } },
  { addressesDrained: { id: 'd', openConnections: 300, finished: true, error: '' } },
];
const frames: readonly Frame[] = [
  { data: Buffer.alloc(5_000, 'x') },
  { end: {} },
  { reset: { message: 'gone' } },
  { reset: { message: '' } },
];

/** Without what proto-loader adds: the name of the oneof's member. */
const plain = (o: unknown): unknown =>
  JSON.parse(JSON.stringify(o, (key, v: unknown) => (key === 'message' && v === own(o) ? undefined : v)));
const own = (o: unknown): unknown => (o as { message?: unknown }).message;

function agrees<T extends object>(codec: Codec<T>, loader: { serialize(v: T): Buffer; deserialize(b: Buffer): T }, message: T): void {
  const bytes = codec.encode(message);
  expect(codec.decode(bytes)).toEqual(message);
  // It writes zero values as well.
  expect(codec.decode(loader.serialize(message))).toEqual(message);
  const loaded = loader.deserialize(bytes) as Record<string, unknown>;
  for (const name of ['message', 'frame']) if (typeof loaded[name] === 'string') delete loaded[name];
  const target = (loaded['dial'] as { target?: Record<string, unknown> } | undefined)?.target;
  if (target !== undefined) delete target['target'];
  expect(plain(loaded)).toEqual(plain(message));
}

it('has the paths of proto/', () => {
  for (const name of ['open', 'connect', 'drain'] as const) expect(tunnelMethods[name].path).toBe(definition[name].path);
});

describe('the messages, written by hand and by proto-loader', () => {
  const { open, connect, drain } = definition;
  it.each(serverMessages)('server: %j', (m) =>
    agrees(serverMessage, { serialize: open.responseSerialize, deserialize: open.responseDeserialize }, m),
  );
  it.each(nodeMessages)('node: %j', (m) =>
    agrees(nodeMessage, { serialize: open.requestSerialize, deserialize: open.requestDeserialize }, m),
  );
  it('frames', () => {
    for (const f of frames) {
      const bytes = frame.encode(f);
      expect(frame.decode(bytes)).toEqual(f);
      expect(frame.decode(connect.requestSerialize(f))).toEqual(f);
      if (f.data !== undefined) expect(Buffer.concat([dataFrameHead(f.data.length), f.data]).equals(bytes)).toBe(true);
    }
  });
  it('drains', () => {
    const request = { podNamespace: 'a', podName: 'b', podUid: 'c', chooseTimeoutMs: 2000, lingerMs: 0 };
    agrees(drainRequest, { serialize: drain.requestSerialize, deserialize: drain.requestDeserialize }, request);
    for (const inService of [true, false]) {
      const response = { inService, openConnections: 5 };
      agrees(drainResponse, { serialize: drain.responseSerialize, deserialize: drain.responseDeserialize }, response);
    }
  });
});

describe('what is no message', () => {
  it('skips fields that a newer side has', () => {
    const known = drainResponse.encode({ inService: true, openConnections: 2 });
    // Field 9 as a varint, 10 as bytes, 11 and 12 of fixed length.
    const newer = Buffer.from([0x48, 0x96, 0x01, 0x52, 0x01, 0xff, 0x5d, 1, 2, 3, 4, 0x61, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(drainResponse.decode(Buffer.concat([newer, known]))).toEqual({ inService: true, openConnections: 2 });
  });
  it.each([
    ['a number without an end', [0x08, 0xff]],
    ['a string that is too short', [0x0a, 5, 1]],
    ['an unknown wire type', [0x0b]],
    ['a field of another type', [0x0a, 0]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => drainResponse.decode(Buffer.from(bytes))).toThrow(WireError);
  });
});
