import type { ResourceDefinition, Status } from '@skiff/apimachinery';
import type { WatchFormat } from '../storage/watch-hub.ts';
import type { ResourceCodec } from './resource-codec.ts';
import { metadataShape, type MetaVersion, renderFrame } from './render.ts';
import { createRowWriter, type IncludeObject, tableHead } from './table.ts';

const errorFrame = (status: Status): Buffer => Buffer.from(`{"type":"ERROR","object":${JSON.stringify(status)}}\n`);

/** Metadata of the object that a BOOKMARK carries: nothing but how far the watch has come. */
const bookmarkMetadata = (revision: number, initialEventsEnd: boolean): string =>
  `{"resourceVersion":"${revision}"${initialEventsEnd ? ',"annotations":{"k8s.io/initial-events-end":"true"}' : ''}}`;

const partialBookmark = (revision: number, end: boolean, meta: MetaVersion): string =>
  `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${meta}","metadata":${bookmarkMetadata(revision, end)}}`;

/** Whole objects: the ordinary watch. */
export function objectWatchFormat(codec: ResourceCodec): WatchFormat {
  return {
    id: 'object',
    contentType: 'application/json',
    frame: (type, _entry, form, revision) => renderFrame(type, form, revision, 'object'),
    bookmark: (revision, end) =>
      Buffer.concat([Buffer.from('{"type":"BOOKMARK","object":'), codec.empty(bookmarkMetadata(revision, end)), Buffer.from('}\n')]),
    error: errorFrame,
  };
}

/** PartialObjectMetadata. */
export const metadataWatchFormat = (meta: MetaVersion): WatchFormat => ({
  id: metadataShape(meta),
  contentType: 'application/json',
  frame: (type, _entry, form, revision) => renderFrame(type, form, revision, metadataShape(meta)),
  bookmark: (revision, end) => Buffer.from(`{"type":"BOOKMARK","object":${partialBookmark(revision, end, meta)}}\n`),
  error: errorFrame,
});

/** Tables of one row. Only the first of a watch has the columns: `withColumns`. */
export function tableWatchFormat(
  d: ResourceDefinition,
  o: { include: IncludeObject; withColumns: boolean; nowMs: () => number; meta: MetaVersion },
): WatchFormat {
  const writer = createRowWriter(d, o.include, o.meta);
  const wrap = (type: string, revision: number, row: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from(`{"type":"${type}","object":`),
      tableHead({ resourceVersion: String(revision) }, o.withColumns ? writer.columns : undefined, o.meta),
      row,
      Buffer.from(']}}\n'),
    ]);
  return {
    id: `table/${o.meta}/${o.include}/${o.withColumns ? 'columns' : ''}`,
    contentType: 'application/json',
    frame: (type, entry, form, revision) => wrap(type, revision, writer.row(entry, form, revision, o.nowMs())),
    bookmark: (revision, end) => wrap('BOOKMARK', revision, writer.emptyRow(Buffer.from(partialBookmark(revision, end, o.meta)))),
    error: errorFrame,
  };
}
