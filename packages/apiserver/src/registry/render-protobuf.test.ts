import { builtinSchemas, configMap } from '@skiff/api';
import { type JsonObject, type KubeObject, parseJson, type ResourceDefinition } from '@skiff/apimachinery';
import { expect, it } from 'vitest';
import { protobufBodies } from '../request/protobuf-body.ts';
import { createStoredEntry, type ServedForm, type StoredEntry } from '../storage/stored-entry.ts';
import { protobufWatchFormat, renderProtobuf, renderProtobufList } from './render-protobuf.ts';
import { createResourceCodec } from './resource-codec.ts';

const definition = configMap as unknown as ResourceDefinition;
const codec = createResourceCodec(builtinSchemas, definition);
const object = (name: string): KubeObject =>
  ({
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name, namespace: 'ns', uid: 'u', creationTimestamp: '2026-01-02T03:04:05Z', labels: { ä: 'x', z: 'ü'.repeat(100), a: '' } },
    data: { key: 'a text\n'.repeat(50) },
    binaryData: { b: 'AAEC' },
  }) as unknown as KubeObject;

function entry(name: string, revision: number): { stored: StoredEntry; form: ServedForm } {
  const { value, form } = codec.encode(object(name));
  return { stored: createStoredEntry({ key: `/registry/configmaps/ns/${name}`, value, revision } as never, 'ns', name), form };
}
/** What a JSON client would have read. */
const served = (name: string, revision: number): JsonObject => {
  const json = parseJson(codec.encode(object(name)).form.bytes).value as JsonObject;
  return { ...json, metadata: { ...(json['metadata'] as JsonObject), resourceVersion: String(revision) } };
};
/** Without what Go's messages have and JSON leaves out: zero values. */
const withoutZeros = (body: Buffer): JsonObject => {
  const { object: decoded } = codec.structure.decode({ value: protobufBodies.decodeObject(body) });
  return parseJson(codec.structure.encode(decoded).bytes).value as JsonObject;
};

it('one object says the same as its JSON, with its resourceVersion', () => {
  const { form } = entry('one', 7);
  expect(protobufBodies.decodeObject(renderProtobuf(definition, form, 7, 'object'))).toMatchObject(served('one', 7));
  // A later revision of the same form (a deletion's) is another message.
  expect(protobufBodies.decodeObject(renderProtobuf(definition, form, 9, 'object'))).toMatchObject(served('one', 9));
  const { resourceVersion: _, ...metadata } = served('one', 7)['metadata'] as JsonObject;
  expect(withoutZeros(renderProtobuf(definition, form, 0, 'object'))['metadata']).toEqual(metadata);
  const partial = protobufBodies.decodeObject(renderProtobuf(definition, form, 7, 'metadata'));
  expect(partial).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'one', resourceVersion: '7' } });
  expect(partial['data']).toBeUndefined();
});

it('a list has every object, in pieces, and the length it says', async () => {
  const all = Array.from({ length: 3000 }, (_, i) => entry(`c${i}`, 100 + i));
  const forms = new Map(all.map((e) => [e.stored, e.form]));
  const page = { entries: all.map((e) => e.stored), metadata: { resourceVersion: '5000', continue: 'token', remainingItemCount: 3 } };
  const formOf = (e: StoredEntry): ServedForm => forms.get(e) as ServedForm;
  const list = await renderProtobufList(definition, page, { formOf, shape: 'object' });
  const pieces = [...list.body];
  expect(pieces.length).toBeGreaterThan(2);
  const body = Buffer.concat(pieces);
  expect(body.length).toBe(list.contentLength);
  const decoded = protobufBodies.decodeObject(body);
  expect(decoded).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1', metadata: page.metadata });
  const items = decoded['items'] as JsonObject[];
  expect(items).toHaveLength(3000);
  const { kind: _kind, apiVersion: _apiVersion, ...last } = served('c2999', 3099);
  expect(items[2999]).toMatchObject(last);
});

it('a watch frames its events by their length', () => {
  const format = protobufWatchFormat(definition, 'object');
  const { stored, form } = entry('one', 7);
  const frames = [
    format.frame('ADDED', stored, form, 7),
    format.bookmark(8, true),
    format.error({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 410 }),
  ];
  for (const frame of frames) expect(frame.readUInt32BE(0)).toBe(frame.length - 4);
  const [added, bookmark, error] = frames.map((frame) => {
    const start = frame.indexOf('k8s\0');
    return { type: frame.subarray(6, 6 + (frame[5] ?? 0)).toString(), object: protobufBodies.decodeObject(frame.subarray(start)) };
  });
  expect(added).toMatchObject({ type: 'ADDED', object: served('one', 7) });
  expect(bookmark).toMatchObject({
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', metadata: { resourceVersion: '8', annotations: { 'k8s.io/initial-events-end': 'true' } } },
  });
  expect(error).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410 } });
});
