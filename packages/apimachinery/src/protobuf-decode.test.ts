import { describe, expect, it } from 'vitest';
import { decodeProtobufMessage, ProtobufError, readProtobufEnvelope } from './protobuf-decode.ts';
import { createSchemaRegistry } from './schema-registry.ts';

const registry = createSchemaRegistry(
  [
    'A\t[{"g":"A","p":"x"},["metadata","#M","",1],["count","int32","e",2],["big","int64","e",3],["cpu","{}quantity","e",4],["port","intOrString","e",[5,1]],["names","[]string","e",6],["on","boolean","e",7],["secret","{}bytes","e",8]]',
    'M\t[{"g":"M","p":"x"},["name","string","e",1],["created","time","z",2]]',
  ].join('\n'),
);
const field = (number: number, wire: number, ...payload: number[]): number[] => [(number << 3) | wire, ...payload];
const message = (number: number, bytes: number[]): number[] => field(number, 2, bytes.length, ...bytes);
const text = (s: string): number[] => [...Buffer.from(s)];

describe('protobuf bodies', () => {
  it('reads the envelope', () => {
    const typeMeta = [...message(1, text('v1')), ...message(2, text('A'))];
    const body = Buffer.from([...text('k8s\0'), ...message(1, typeMeta), ...message(2, [1, 2, 3])]);
    expect(readProtobufEnvelope(body)).toEqual({ apiVersion: 'v1', kind: 'A', raw: Buffer.from([1, 2, 3]) });
    expect(() => readProtobufEnvelope(Buffer.from('{}'))).toThrow(ProtobufError);
  });

  it('reads fields by number, embedded messages into the outer object', () => {
    const raw = Buffer.from([
      ...message(1, [...message(1, text('n')), ...message(2, field(1, 0, 0x80, 0xa0, 0x9f, 0xa4, 0x06))]),
      ...field(2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
      ...field(3, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
      ...message(4, [...message(1, text('cpu')), ...message(2, message(1, text('500m')))]),
      ...message(5, message(1, [...field(1, 0, 1), ...message(3, text('http'))])),
      ...message(6, text('a')),
      ...message(6, text('b')),
      ...field(7, 0, 1),
      ...message(8, [...message(1, text('k')), ...message(2, text('v'))]),
      ...field(15, 5, 0, 0, 0, 0),
    ]);
    expect(decodeProtobufMessage(registry, 'A', raw)).toEqual({
      metadata: { name: 'n', created: '2023-06-13T02:10:08Z' },
      count: -1,
      big: 9223372036854775807n,
      cpu: { cpu: '500m' },
      port: 'http',
      names: ['a', 'b'],
      on: true,
      secret: { k: 'dg==' },
    });
  });

  it('refuses what ends too early', () => {
    expect(() => decodeProtobufMessage(registry, 'A', Buffer.from([0x0a, 0x7f, 1]))).toThrow('unexpected EOF');
  });
});
