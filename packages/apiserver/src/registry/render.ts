import type { ResourceDefinition } from '@skiff/apimachinery';
import { formatGroupVersion } from '@skiff/apimachinery';
import type { ServedForm, StoredEntry } from '../storage/stored-entry.ts';

const pieceBytes = 512 * 1024;
const partialObjectHeads = {
  metadata: Buffer.from('{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",'),
  'metadata/v1beta1': Buffer.from('{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1beta1",'),
} as const;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const comma = 0x2c;

/** How an object is written: whole, as an item of a list of a built-in kind (no kind, no apiVersion), or its metadata only. */
export type Shape = 'object' | 'item' | keyof typeof partialObjectHeads;

/** Versions of meta.k8s.io, which Tables and PartialObjectMetadata belong to; they differ in name only. */
export type MetaVersion = 'v1' | 'v1beta1';
export const metadataShape = (meta: MetaVersion): keyof typeof partialObjectHeads => (meta === 'v1' ? 'metadata' : 'metadata/v1beta1');

/** Bytes that `writeShape` writes. `version` is the decimal resourceVersion, '' for none (dry runs of creations). */
export function shapeBytes(form: ServedForm, version: string, shape: Shape): number {
  const inserted = version === '' ? 0 : version.length + 21;
  switch (shape) {
    case 'object':
      return form.bytes.length + inserted;
    case 'item':
      return 1 + form.bytes.length - form.metadataStart + inserted;
    default:
      return partialObjectHeads[shape].length + form.metadataEnd - form.metadataStart + inserted + 1;
  }
}

/** Writes an object with its resourceVersion into `target`; returns the offset behind it. Slices only, nothing is parsed. */
export function writeShape(target: Buffer, start: number, form: ServedForm, version: string, shape: Shape): number {
  const { bytes } = form;
  let at = start;
  if (shape === 'object') at += bytes.copy(target, at, 0, form.versionAt);
  else if (shape === 'item') {
    target[at++] = openBrace;
    at += bytes.copy(target, at, form.metadataStart, form.versionAt);
  } else {
    at += partialObjectHeads[shape].copy(target, at);
    at += bytes.copy(target, at, form.metadataStart, form.versionAt);
  }
  if (version !== '') at += target.write(`,"resourceVersion":"${version}"`, at, 'latin1');
  const partial = shape !== 'object' && shape !== 'item';
  at += bytes.copy(target, at, form.versionAt, partial ? form.metadataEnd : bytes.length);
  if (partial) target[at++] = closeBrace;
  return at;
}

/** 0: of what is not stored (dry runs, what the server makes up), and said nothing of. */
export const versionText = (revision: number): string => (revision === 0 ? '' : String(revision));

/** One object as a whole answer, with the newline that upstream ends its JSON with. */
export function renderObject(form: ServedForm, revision: number, shape: Shape = 'object'): Buffer {
  const version = versionText(revision);
  const out = Buffer.allocUnsafe(shapeBytes(form, version, shape) + 1);
  out[writeShape(out, 0, form, version, shape)] = 0x0a;
  return out;
}

/** `{"type":"ADDED","object":…}` and a newline. */
export function renderFrame(type: string, form: ServedForm, revision: number, shape: Shape): Buffer {
  const version = String(revision);
  const head = `{"type":"${type}","object":`;
  const out = Buffer.allocUnsafe(head.length + shapeBytes(form, version, shape) + 2);
  const end = writeShape(out, out.write(head, 0, 'latin1'), form, version, shape);
  out[end] = closeBrace;
  out[end + 1] = 0x0a;
  return out;
}

export interface ListMetadata {
  /** Absent for what is not stored. */
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** The head of a list up to and with `"items":[`; kind and apiVersion are the list's. */
export function listHead(kind: string, apiVersion: string, metadata: ListMetadata): Buffer {
  return Buffer.from(
    `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(metadata)},"items":[`,
  );
}

export interface RenderedList {
  readonly body: Iterable<Buffer>;
  readonly contentLength: number;
}

/**
 * A LIST as a concatenation of slices, made piece by piece when it is pulled. The entries are a snapshot; their forms must exist
 * (`formOf` may be called twice for each).
 */
export function renderList(
  head: Buffer,
  entries: readonly StoredEntry[],
  formOf: (e: StoredEntry) => ServedForm,
  shape: Shape,
): RenderedList {
  if (entries.length === 0 && shape in partialObjectHeads) {
    // Go's nil slice, as upstream has it here only.
    const body = Buffer.concat([head.subarray(0, head.length - 1), Buffer.from('null}\n')]);
    return { body: [body], contentLength: body.length };
  }
  const tail = Buffer.from(']}\n');
  let contentLength = head.length + tail.length + Math.max(0, entries.length - 1);
  for (const entry of entries) contentLength += shapeBytes(formOf(entry), versionText(entry.revision), shape);
  return { contentLength, body: { [Symbol.iterator]: () => listPieces({ head, tail, entries, formOf, shape }, contentLength) } };
}

interface ListParts {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly entries: readonly StoredEntry[];
  readonly formOf: (e: StoredEntry) => ServedForm;
  readonly shape: Shape;
}

function* listPieces(parts: ListParts, contentLength: number): Generator<Buffer, void> {
  let left = contentLength;
  let piece = Buffer.allocUnsafeSlow(Math.min(left, pieceBytes));
  let at = parts.head.copy(piece);
  let first = true;
  for (const entry of parts.entries) {
    const form = parts.formOf(entry);
    const version = versionText(entry.revision);
    const needed = shapeBytes(form, version, parts.shape) + (first ? 0 : 1);
    if (at + needed > piece.length) {
      yield piece.subarray(0, at);
      left -= at;
      piece = Buffer.allocUnsafeSlow(Math.min(left, Math.max(needed, pieceBytes)));
      at = 0;
    }
    if (!first) piece[at++] = comma;
    first = false;
    at = writeShape(piece, at, form, version, parts.shape);
  }
  if (at + parts.tail.length > piece.length) {
    yield piece.subarray(0, at);
    yield parts.tail;
    return;
  }
  at += parts.tail.copy(piece, at);
  yield piece.subarray(0, at);
}

/** Items of lists of built-in kinds carry no kind and apiVersion; those of custom ones do. */
export const itemShape = (d: ResourceDefinition): Shape => (isCustom(d) ? 'object' : 'item');

/** Custom resources are stored with sorted keys, and have no protobuf form. */
export const isCustom = (d: ResourceDefinition): boolean => d.custom !== undefined;

export const apiVersionOf = (d: Pick<ResourceDefinition, 'group' | 'version'>): string => formatGroupVersion(d.group, d.version);
