import { badRequest, notFound, type ResourceDefinition, StatusError } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { ApiRequest, ApiResponse, OpenWatch } from '../contract.ts';
import type { StoredEntry } from '../storage/stored-entry.ts';
import type { WatchFormat } from '../storage/watch-hub.ts';
import { encodeContinue } from './continue-token.ts';
import { protobufMediaType } from '../request/protobuf-body.ts';
import { present, presentMessage, streamNotAcceptable } from './present.ts';
import { readEntry, resolveListState, type ListState } from './reads.ts';
import { apiVersionOf, isCustom, itemShape, listHead, metadataShape, type ListMetadata, renderList, renderObject } from './render.ts';
import { protobufWatchFormat, renderProtobuf, renderProtobufList } from './render-protobuf.ts';
import { type ListOptions, parseListOptions } from './request-options.ts';
import { type ParsedSelection, parseSelection } from './selection.ts';
import { toApiError } from './store-errors.ts';
import { keyOf, type ServedResource } from './stored-resource.ts';
import { createRowWriter, parseIncludeObject, tableHead, tablePieces } from './table.ts';
import { metadataWatchFormat, objectWatchFormat, tableWatchFormat } from './watch-formats.ts';
import { prepareForms, serveWatch } from './watch-session.ts';

const subject = (d: ResourceDefinition): { group: string; resource: string } => ({ group: d.group, resource: d.plural });

/** What is needed of a resource to show its entries. */
export type ShownResource = Pick<ServedResource, 'definition' | 'view'>;

/** One object in the negotiated form. */
export function presentEntry(
  resource: ShownResource,
  entry: StoredEntry,
  r: ApiRequest,
  code: number,
  nowMs: number,
): ApiResponse | Promise<ApiResponse> {
  const converted = resource.view.prepare([entry]);
  if (converted !== undefined) return converted.then(() => presentEntry(resource, entry, r, code, nowMs));
  const form = resource.view.formOf(entry);
  if (r.output.mediaType === 'protobuf' && r.output.as !== 'PartialObjectMetadataList') {
    const shape = r.output.as === undefined ? 'object' : 'metadata';
    return presentMessage(code, renderProtobuf(resource.definition, form, entry.revision, shape));
  }
  switch (r.output.as ?? 'Object') {
    case 'Object':
      return present(code, [renderObject(form, entry.revision)], r.output);
    case 'PartialObjectMetadata':
      return present(code, [renderObject(form, entry.revision, metadataShape(r.output.asVersion ?? 'v1'))], r.output);
    case 'Table': {
      const writer = createRowWriter(resource.definition, parseIncludeObject(r.query), r.output.asVersion);
      const head = tableHead(entry.revision === 0 ? {} : { resourceVersion: String(entry.revision) }, writer.columns, r.output.asVersion);
      return present(code, [...tablePieces(head, [entry], { writer, formOf: () => form, nowMs })], r.output);
    }
    case 'PartialObjectMetadataList':
      throw new StatusError(
        'NotAcceptable',
        `you requested PartialObjectMetadataList, but the requested object is not a list (${goTypeOf(resource.definition, resource.definition.kind)})`,
      );
  }
}

const goTypeOf = (d: ResourceDefinition, kind: string): string => `*${d.group === '' ? 'core' : (d.group.split('.')[0] ?? '')}.${kind}`;

export async function getObject(resource: ServedResource, r: ApiRequest, clock: Clock): Promise<ApiResponse> {
  const exported = r.query.get('export');
  if (exported !== null && exported !== 'false' && exported !== '0') {
    throw badRequest('the export parameter, deprecated since v1.14, is no longer supported');
  }
  try {
    const entry = await readEntry(resource.stored, keyOf(resource, r.info.namespace, r.info.name), r.query.get('resourceVersion') ?? '');
    if (entry === undefined) throw notFound(subject(resource.definition), r.info.name);
    return await presentEntry(resource, entry, r, 200, clock.now());
  } catch (error) {
    throw toApiError(error, subject(resource.definition), 'get');
  }
}

/** What a LIST answers with: a snapshot of entries, and where the next page begins. */
export interface ListPage {
  readonly entries: readonly StoredEntry[];
  readonly metadata: ListMetadata;
}

export async function listPage(resource: ServedResource, selection: ParsedSelection, options: ListOptions): Promise<ListPage> {
  const { stored } = resource;
  const prefix = selection.namespace === '' ? stored.prefix : `${stored.prefix}${selection.namespace}/`;
  const state = await resolveListState(stored, prefix, options);
  const candidates = candidatesOf(resource, selection, state, prefix);
  await prepareForms(resource, candidates);
  const page = selectPage(resource, selection, candidates, state.limit);
  const resourceVersion = String(state.revision);
  if (page.next === undefined) return { entries: page.entries, metadata: { resourceVersion } };
  stored.history.keep(state.revision, state.entries);
  const remaining = selection.selective ? undefined : state.entries.count(prefix, page.next);
  return {
    entries: page.entries,
    metadata: {
      resourceVersion,
      continue: encodeContinue(page.next, prefix, state.revision),
      ...(remaining === undefined ? {} : { remainingItemCount: remaining }),
    },
  };
}

/** Entries in the range of the request. Without selectors one more than the page holds is enough. */
function candidatesOf(resource: ServedResource, selection: ParsedSelection, state: ListState, prefix: string): readonly StoredEntry[] {
  if (selection.name !== '' && (selection.namespace !== '' || resource.definition.scope === 'Cluster')) {
    const entry = state.entries.get(`${prefix}${selection.name}`);
    return entry !== undefined && entry.key >= state.from ? [entry] : [];
  }
  const enough = state.limit > 0 && !selection.selective ? state.limit + 1 : Infinity;
  return state.entries.slice(prefix, state.from, enough);
}

function selectPage(
  resource: ServedResource,
  selection: ParsedSelection,
  candidates: readonly StoredEntry[],
  limit: number,
): { entries: readonly StoredEntry[]; next: string | undefined } {
  const { matches } = selection;
  const full = limit > 0 && candidates.length > limit;
  if (matches === undefined && !full) return { entries: candidates, next: undefined };
  const entries: StoredEntry[] = [];
  let last: StoredEntry | undefined;
  for (const entry of candidates) {
    if (limit > 0 && entries.length >= limit) return { entries, next: `${last?.key ?? ''}\0` };
    last = entry;
    if (matches === undefined || matches(resource.view.formOf(entry))) entries.push(entry);
  }
  return { entries, next: undefined };
}

export async function listObjects(resource: ServedResource, r: ApiRequest, clock: Clock): Promise<ApiResponse> {
  const { definition } = resource;
  const options = parseListOptions(r.query, 'list');
  const selection = parseSelection(definition, { namespace: r.info.namespace, ...options });
  try {
    return await presentList(resource, await listPage(resource, selection, options), r, clock.now());
  } catch (error) {
    throw toApiError(error, subject(definition), 'list');
  }
}

/** A list in the negotiated form, made piece by piece as it is pulled. */
export async function presentList(resource: ShownResource, page: ListPage, r: ApiRequest, nowMs: number): Promise<ApiResponse> {
  const { definition, view } = resource;
  const formOf = view.formOf.bind(view);
  if (r.output.mediaType === 'protobuf' && r.output.as !== 'PartialObjectMetadata') {
    const list = await renderProtobufList(definition, page, { formOf, shape: r.output.as === undefined ? 'object' : 'metadata' });
    return { code: 200, contentType: protobufMediaType, ...list };
  }
  switch (r.output.as ?? 'List') {
    case 'List': {
      const list = renderList(
        listHead(definition.listKind, apiVersionOf(definition), page.metadata),
        page.entries,
        formOf,
        itemShape(definition),
      );
      return present(200, list.body, r.output, list.contentLength);
    }
    case 'PartialObjectMetadataList': {
      const meta = r.output.asVersion ?? 'v1';
      const head = listHead('PartialObjectMetadataList', `meta.k8s.io/${meta}`, page.metadata);
      const list = renderList(head, page.entries, formOf, metadataShape(meta));
      return present(200, list.body, r.output, list.contentLength);
    }
    case 'Table': {
      const writer = createRowWriter(definition, parseIncludeObject(r.query), r.output.asVersion);
      const head = tableHead(page.metadata, writer.columns, r.output.asVersion);
      return present(200, { [Symbol.iterator]: () => tablePieces(head, page.entries, { writer, formOf, nowMs }) }, r.output);
    }
    case 'PartialObjectMetadata':
      throw new StatusError(
        'NotAcceptable',
        `you requested PartialObjectMetadata, but the requested object is a list (${goTypeOf(definition, definition.listKind)})`,
      );
  }
}

export async function watchObjects(resource: ServedResource, r: ApiRequest, open: OpenWatch, clock: Clock): Promise<void> {
  const { definition, codec } = resource;
  const options = parseListOptions(r.query, 'watch');
  const selection = parseSelection(definition, { namespace: r.info.namespace, ...options });
  if (r.output.mediaType === 'yaml') throw streamNotAcceptable(!isCustom(definition));
  let format: WatchFormat;
  let firstFormat: WatchFormat | undefined;
  if (r.output.mediaType === 'protobuf') format = protobufWatchFormat(definition, r.output.as === undefined ? 'object' : 'metadata');
  else if (r.output.as === 'Table') {
    const include = parseIncludeObject(r.query);
    const meta = r.output.asVersion ?? 'v1';
    format = tableWatchFormat(definition, { include, withColumns: false, nowMs: clock.now, meta });
    firstFormat = tableWatchFormat(definition, { include, withColumns: true, nowMs: clock.now, meta });
  } else if (r.output.as === undefined) format = objectWatchFormat(codec);
  else format = metadataWatchFormat(r.output.asVersion ?? 'v1');
  try {
    await serveWatch(
      { resource, options, selection, format, ...(firstFormat === undefined ? {} : { firstFormat }), signal: r.signal, clock },
      open,
    );
  } catch (error) {
    throw toApiError(error, subject(definition), 'watch');
  }
}
