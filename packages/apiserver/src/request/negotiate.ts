import { lookupTable, StatusError } from '@skiff/apimachinery';
import type { OutputFormat } from '../contract.ts';

/** One clause of an Accept header, after `q` has done its sorting. */
interface AcceptClause {
  readonly type: string;
  readonly subtype: string;
  readonly q: number;
  readonly params: ReadonlyMap<string, string>;
}

/** What is served where an object has no protobuf form (custom resources, discovery); built-in kinds add protobuf. */
const jsonMediaTypes = ['application/json', 'application/yaml'];
const builtinMediaTypes = [...jsonMediaTypes, 'application/vnd.kubernetes.protobuf'];
const streamMediaTypes = ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];

/** Where an answer is needed: what forms it can take. */
export interface Negotiable {
  /** Also as Table and PartialObjectMetadata. */
  readonly transformable: boolean;
  /** 'metadata': only as PartialObjectMetadata, the one form of custom resources. */
  readonly protobuf: boolean | 'metadata';
  /** Also as a watch. */
  readonly streams?: boolean;
}

/** Lower-case media type and parameters of one header value. */
export function parseMediaType(value: string): { mediaType: string; params: ReadonlyMap<string, string> } {
  const [mediaType = '', ...rest] = value.split(';');
  const params = new Map<string, string>();
  for (const part of rest) {
    const eq = part.indexOf('=');
    if (eq < 0) continue;
    params.set(
      part.slice(0, eq).trim().toLowerCase(),
      part
        .slice(eq + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1'),
    );
  }
  return { mediaType: mediaType.trim().toLowerCase(), params };
}

/** Clauses by falling `q`, the more specific first; equal ones keep their order. */
export function parseAccept(header: string): readonly AcceptClause[] {
  const clauses = header.split(',').map((part): AcceptClause => {
    const { mediaType, params } = parseMediaType(part);
    const [type = '', subtype = type === '*' ? '*' : ''] = mediaType.split('/');
    const q = Number(params.get('q') ?? '1');
    return { type, subtype, q: Number.isFinite(q) ? q : 1, params };
  });
  const vagueness = (c: AcceptClause): number => (c.type === '*' ? 2 : c.subtype === '*' ? 1 : 0);
  return clauses.sort((a, b) => b.q - a.q || vagueness(a) - vagueness(b));
}

const notAcceptable = (accepted: readonly string[]): StatusError =>
  new StatusError('NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);

const transforms: ReadonlySet<string> = new Set(['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList']);

const formats = lookupTable<OutputFormat['mediaType']>({
  'application/yaml': 'yaml',
  'application/vnd.kubernetes.protobuf': 'protobuf',
});

function formatOf(clause: AcceptClause, mediaType: string, transformable: boolean): OutputFormat | undefined {
  const as = clause.params.get('as') ?? '';
  const group = clause.params.get('g') ?? '';
  const version = clause.params.get('v') ?? '';
  const stream = clause.params.get('stream') ?? '';
  if (stream !== '' && stream !== 'watch') return undefined;
  const base = { mediaType: formats[mediaType] ?? 'json', pretty: clause.params.get('pretty') === '1' } as const;
  if (as === '' && group === '' && version === '') return base;
  // Tables have no protobuf form.
  if (as === 'Table' && base.mediaType === 'protobuf') return undefined;
  if (!transformable || !transforms.has(as) || group !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  return { ...base, as: as as NonNullable<OutputFormat['as']>, asVersion: version };
}

const cacheLimit = 512;
const cache = new Map<string, OutputFormat | StatusError>();

/**
 * The format that an Accept header asks for. Throws
 * NotAcceptable with the list of what there is. Parsed headers are remembered: clients send the same ones over and over.
 */
export function negotiateOutput(accept: string, o: Negotiable): OutputFormat {
  const key = `${o.transformable ? 't' : ''}${o.streams === true ? 's' : ''}${o.protobuf} ${accept}`;
  let found = cache.get(key);
  if (found === undefined) {
    found = negotiate(accept, o);
    if (cache.size >= cacheLimit) cache.clear();
    cache.set(key, found);
  }
  if (found instanceof StatusError) throw found;
  return found;
}

function negotiate(accept: string, { transformable, protobuf, streams }: Negotiable): OutputFormat | StatusError {
  const served = protobuf !== false ? builtinMediaTypes : jsonMediaTypes;
  if (accept === '') return { mediaType: 'json', pretty: false };
  const clauses = parseAccept(accept);
  // Upstream routes built-in kinds by what they can be: by whole names, or anything. Custom ones have no such routes.
  if (protobuf === true && !clauses.some((c) => (c.type === '*' && c.subtype === '*') || served.includes(`${c.type}/${c.subtype}`))) {
    const representations = streams === true ? [...served, ...streamMediaTypes] : served;
    return new StatusError('NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${representations.join(', ')}`, {
      details: {},
    });
  }
  for (const clause of clauses) {
    for (const mediaType of served) {
      const [type, subtype] = mediaType.split('/');
      const matches =
        (clause.type === type && (clause.subtype === subtype || clause.subtype === '*')) || (clause.type === '*' && clause.subtype === '*');
      if (!matches) continue;
      const format = formatOf(clause, mediaType, transformable);
      if (format !== undefined && (format.mediaType !== 'protobuf' || protobuf === true || format.as !== undefined)) return format;
    }
  }
  return notAcceptable(served);
}

const prettyAgents = /^(?:curl|Wget|Mozilla\/5\.0)/;

/** Indented output: `?pretty` decides where it is given, else tools that people read with (upstream's list). */
export function wantsPretty(query: URLSearchParams, userAgent: string): boolean {
  const asked = query.get('pretty');
  if (asked !== null && asked !== '') return /^(?:1|t|T|true|TRUE|True)$/.test(asked);
  return prettyAgents.test(userAgent);
}
