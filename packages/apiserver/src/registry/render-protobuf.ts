import { setImmediate as turn } from 'node:timers/promises';
import {
  type JsonObject,
  parseJson,
  protobufEnvelope,
  protobufEnvelopeAround,
  ProtobufWriter,
  type ResourceDefinition,
  type Status,
} from '@skiff/apimachinery';
import { protobufBodies, protobufMediaType } from '../request/protobuf-body.ts';
import type { ServedForm, StoredEntry } from '../storage/stored-entry.ts';
import type { WatchFormat } from '../storage/watch-hub.ts';
import { apiVersionOf, type ListMetadata } from './render.ts';

/** Whole objects, or their metadata as PartialObjectMetadata. */
export type ProtobufShape = 'object' | 'metadata';

const metaTypes = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const sliceMs = 8;
const pieceBytes = 512 * 1024;

interface MessageType {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schemaName: string;
}
const typeOf = (d: ResourceDefinition, shape: ProtobufShape): MessageType =>
  shape === 'metadata'
    ? { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', schemaName: `${metaTypes}.PartialObjectMetadata` }
    : { apiVersion: apiVersionOf(d), kind: d.kind, schemaName: d.schemaName };

/** The message of an object at a revision (0 = none: dry runs of creations), without the body's envelope. */
function encode(form: ServedForm, revision: number, type: MessageType): Buffer {
  const object = parseJson(form.bytes).value as JsonObject;
  if (revision !== 0) (object['metadata'] as JsonObject)['resourceVersion'] = String(revision);
  return protobufBodies.encoder.message(type.schemaName, object);
}

/** An entry's message. That of the whole object is kept with the form, so that a LIST copies and does not encode. */
function messageOf(d: ResourceDefinition, form: ServedForm, revision: number, shape: ProtobufShape): Buffer {
  if (shape === 'metadata') return encode(form, revision, typeOf(d, shape));
  if (form.message?.revision !== revision) form.message = { revision, bytes: encode(form, revision, typeOf(d, shape)) };
  return form.message.bytes;
}

/** One object as a whole body. */
export function renderProtobuf(d: ResourceDefinition, form: ServedForm, revision: number, shape: ProtobufShape): Buffer {
  const { apiVersion, kind } = typeOf(d, shape);
  return protobufEnvelope(apiVersion, kind, messageOf(d, form, revision, shape));
}

/**
 * A LIST: the messages of its entries as repeated fields behind the list's metadata. Messages that are not made yet are made here, in
 * slices that let the event loop turn.
 */
export async function renderProtobufList(
  d: ResourceDefinition,
  page: { readonly entries: readonly StoredEntry[]; readonly metadata: ListMetadata },
  o: { readonly formOf: (e: StoredEntry) => ServedForm; readonly shape: ProtobufShape },
): Promise<{ readonly body: Iterable<Buffer>; readonly contentLength: number }> {
  const messages: Buffer[] = [];
  let since = performance.now();
  let length = 0;
  for (const entry of page.entries) {
    const message = messageOf(d, o.formOf(entry), entry.revision, o.shape);
    messages.push(message);
    length += message.length + 1 + varintBytes(message.length);
    if (performance.now() - since < sliceMs) continue;
    await turn();
    since = performance.now();
  }
  const listMeta = protobufBodies.encoder.message(`${metaTypes}.ListMeta`, { ...page.metadata });
  const type = o.shape === 'metadata' ? 'PartialObjectMetadataList' : d.listKind;
  const apiVersion = o.shape === 'metadata' ? 'meta.k8s.io/v1' : apiVersionOf(d);
  const listHead = fieldHead(1, listMeta.length);
  const { head, tail } = protobufEnvelopeAround(apiVersion, type, length + listHead.length + listMeta.length);
  const start = Buffer.concat([head, listHead, listMeta]);
  return {
    contentLength: start.length + length + tail.length,
    body: { [Symbol.iterator]: () => pieces(start, messages, tail) },
  };
}

function* pieces(start: Buffer, messages: readonly Buffer[], tail: Buffer): Generator<Buffer, void> {
  let waiting: Buffer[] = [start];
  let bytes = start.length;
  for (const message of messages) {
    const head = fieldHead(2, message.length);
    waiting.push(head, message);
    bytes += head.length + message.length;
    if (bytes < pieceBytes) continue;
    yield Buffer.concat(waiting, bytes);
    waiting = [];
    bytes = 0;
  }
  waiting.push(tail);
  yield Buffer.concat(waiting, bytes + tail.length);
}

const heads = new ProtobufWriter(32);
function fieldHead(number: number, length: number): Buffer {
  heads.varint(length);
  heads.tag(number, 2);
  return heads.take();
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

const frames = new ProtobufWriter(16 * 1024);

/** A frame of a protobuf watch: four bytes of length and a WatchEvent whose object is a body of its own. */
function watchFrame(type: string, body: Buffer): Buffer {
  const object = frames.length;
  frames.bytes(body);
  frames.tag(1, 2);
  frames.close(object);
  frames.tag(2, 2);
  frames.text(type);
  frames.tag(1, 2);
  const event = frames.take();
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}

/** Watch events as upstream's `application/vnd.kubernetes.protobuf;stream=watch`. */
export function protobufWatchFormat(d: ResourceDefinition, shape: ProtobufShape): WatchFormat {
  const type = typeOf(d, shape);
  return {
    id: `protobuf/${shape}`,
    contentType: `${protobufMediaType};stream=watch`,
    frame: (event, _entry, form, revision) => watchFrame(event, renderProtobuf(d, form, revision, shape)),
    bookmark: (revision, end) => {
      const metadata = {
        resourceVersion: String(revision),
        ...(end ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
      };
      const message = protobufBodies.encoder.message(type.schemaName, { metadata });
      return watchFrame('BOOKMARK', protobufEnvelope(type.apiVersion, type.kind, message));
    },
    error: (status: Status) => watchFrame('ERROR', protobufBodies.encodeObject(status as unknown as JsonObject)),
  };
}
