import { describeApi } from '@skiff/api';
import {
  badRequest,
  type DeepReadonly,
  type Json,
  type KubeObject,
  type ResourceDefinition,
  type TableColumn,
  type TableDefinition,
} from '@skiff/apimachinery';
import type { ServedForm, StoredEntry } from '../storage/stored-entry.ts';
import { type ListMetadata, metadataShape, type MetaVersion, shapeBytes, versionText, writeShape } from './render.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** The `includeObject` parameter of Tables. Throws BadRequest. */
export function parseIncludeObject(query: URLSearchParams): IncludeObject {
  const text = query.get('includeObject') ?? '';
  if (text === '') return 'Metadata';
  if (text === 'None' || text === 'Metadata' || text === 'Object') return text;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(text)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

const nameColumn: TableColumn = { name: 'Name', type: 'string', format: 'name' };
const createdColumn: TableColumn = { name: 'Created At', type: 'date', description: describeApi('ObjectMeta', 'creationTimestamp') ?? '' };

/** For kinds without columns of their own: name and creation time, as upstream's default convertor. */
const defaultTable: TableDefinition<KubeObject> = {
  columns: [nameColumn, createdColumn],
  row: (o) => [o.metadata?.name ?? '', o.metadata?.creationTimestamp ?? '<unknown>'],
};

export const tableOf = (d: ResourceDefinition): TableDefinition<KubeObject> => d.table ?? defaultTable;

const columnJson = (c: TableColumn): Json => ({
  name: c.name,
  type: c.type,
  format: c.format ?? '',
  description: c.description ?? (c.format === 'name' ? (describeApi('ObjectMeta', 'name') ?? '') : ''),
  priority: c.priority ?? 0,
});

/** How the rows of one resource are written; made once per request or watch format. */
export interface RowWriter {
  readonly columns: Buffer;
  /** `{"cells":[…],"object":…}`. Parses the object: cells are not kept, ages move. */
  row(entry: StoredEntry, form: ServedForm, revision: number, nowMs: number): Buffer;
  /** The row of a bookmark: cells of an empty object. */
  emptyRow(object: Buffer): Buffer;
}

/** `meta`: the version of meta.k8s.io that is spoken. */
export function createRowWriter(d: ResourceDefinition, include: IncludeObject, meta: MetaVersion = 'v1'): RowWriter {
  const table = tableOf(d);
  const objectShape = include === 'Object' ? 'object' : metadataShape(meta);
  return {
    columns: Buffer.from(JSON.stringify(table.columns.map(columnJson))),
    row: (_entry, form, revision, nowMs) => {
      const object = JSON.parse(form.bytes.toString('utf8')) as DeepReadonly<KubeObject>;
      const head = Buffer.from(`{"cells":${JSON.stringify(table.row(object, nowMs))},"object":`);
      if (include === 'None') return Buffer.concat([head, Buffer.from('null}')]);
      const version = versionText(revision);
      const out = Buffer.allocUnsafe(head.length + shapeBytes(form, version, objectShape) + 1);
      out[writeShape(out, head.copy(out), form, version, objectShape)] = 0x7d;
      return out;
    },
    emptyRow: (object) => {
      const cells = table.columns.map((c) =>
        c.type === 'integer' || c.type === 'number' ? 0 : c.type === 'boolean' ? false : c.name === 'Age' ? '<unknown>' : '',
      );
      return Buffer.concat([
        Buffer.from(`{"cells":${JSON.stringify(cells)},"object":`),
        include === 'None' ? Buffer.from('null') : object,
        Buffer.from('}'),
      ]);
    },
  };
}

export const tableHead = (metadata: ListMetadata, columns: Buffer | undefined, meta: MetaVersion = 'v1'): Buffer =>
  Buffer.concat([
    Buffer.from(`{"kind":"Table","apiVersion":"meta.k8s.io/${meta}","metadata":${JSON.stringify(metadata)},"columnDefinitions":`),
    columns ?? Buffer.from('null'),
    Buffer.from(',"rows":['),
  ]);

/** How long one piece of a Table may be worked on before the event loop turns. */
const sliceMs = 8;

/** A Table as pieces: rows need the parsed objects, so that a long one is made in slices as it is pulled. */
export function* tablePieces(
  head: Buffer,
  entries: readonly StoredEntry[],
  o: { writer: RowWriter; formOf: (e: StoredEntry) => ServedForm; nowMs: number },
): Generator<Buffer, void> {
  let pending: Buffer[] = [head];
  let started = performance.now();
  for (const [i, entry] of entries.entries()) {
    if (i > 0) pending.push(commaBytes);
    pending.push(o.writer.row(entry, o.formOf(entry), entry.revision, o.nowMs));
    if (performance.now() - started < sliceMs) continue;
    yield Buffer.concat(pending);
    pending = [];
    started = performance.now();
  }
  pending.push(Buffer.from(']}\n'));
  yield Buffer.concat(pending);
}
const commaBytes = Buffer.from(',');
