import { declare, type Run } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { boolType, listOf, mapOf, objectType, stringType } from '../types.ts';
import { ArrayList, CelError, EntryMap, keyText, Opaque, type Value } from '../values.ts';

export const urlType = objectType('kubernetes.URL');

interface Parts {
  readonly scheme: string;
  /** With the port. */
  readonly host: string;
  readonly path: string;
  readonly query: string;
}
export class URLValue extends Opaque {
  readonly type = urlType;
  readonly text: string;
  readonly parts: Parts;
  constructor(text: string, parts: Parts) {
    super();
    this.text = text;
    this.parts = parts;
  }
  equals(other: Opaque): boolean {
    return other instanceof URLValue && this.text === other.text;
  }
}

const quote = (s: string): string => JSON.stringify(s);
// oxlint-disable-next-line no-control-regex
const control = /[\x00-\x1f\x7f]/;
const badEscape = /%(?![0-9a-fA-F]{2}).{0,2}/;

function hostError(host: string): string | undefined {
  const bracket = /^\[([^\]]*)\](.*)$/.exec(host);
  const after = bracket === null ? host : bracket[2]!;
  if (host.startsWith('[') && bracket === null) return "missing ']' in host";
  const colon = bracket === null ? after.lastIndexOf(':') : after.startsWith(':') ? 0 : -1;
  if (colon >= 0 && !/^\d*$/.test(after.slice(colon + 1))) return `invalid port ${quote(after.slice(colon))} after host`;
  const bad = /[\s"<>\\^`{|}]/.exec(host);
  return bad === null ? undefined : `invalid character ${quote(bad[0])} in host name`;
}

/** Go's url.ParseRequestURI; a text says what is wrong. */
export function parseRequestURI(text: string): Parts | string {
  const fail = (why: string): string => `parse ${quote(text)}: ${why}`;
  if (control.test(text)) return fail('net/url: invalid control character in URL');
  if (text === '') return fail('empty url');
  if (text === '*') return { scheme: '', host: '', path: '*', query: '' };
  const colon = text.indexOf(':');
  const named = colon > 0 && colon < 256 && /^[A-Za-z][A-Za-z0-9+.-]*$/.test(text.slice(0, colon));
  const scheme = named ? text.slice(0, colon).toLowerCase() : '';
  let rest = named ? text.slice(colon + 1) : text;
  if (scheme === '' && text.startsWith(':')) return fail('missing protocol scheme');
  if (!rest.startsWith('/')) return scheme === '' ? fail('invalid URI for request') : { scheme, host: '', path: '', query: '' };
  const fragment = rest.indexOf('#');
  if (fragment >= 0) rest = rest.slice(0, fragment);
  const mark = rest.indexOf('?');
  const query = mark < 0 ? '' : rest.slice(mark + 1);
  let path = mark < 0 ? rest : rest.slice(0, mark);
  let host = '';
  if (path.startsWith('//') && (scheme !== '' || !path.startsWith('///'))) {
    const slash = path.indexOf('/', 2);
    const authority = slash < 0 ? path.slice(2) : path.slice(2, slash);
    path = slash < 0 ? '' : path.slice(slash);
    host = authority.slice(authority.lastIndexOf('@') + 1);
    const why = hostError(host);
    if (why !== undefined) return fail(why);
  }
  const escape = badEscape.exec(path);
  if (escape !== null) return fail(`invalid URL escape ${quote(escape[0])}`);
  return { scheme, host, path, query };
}

function hostname(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'));
  const colon = host.lastIndexOf(':');
  return colon < 0 ? host : host.slice(0, colon);
}
const port = (host: string): string => /:(\d*)$/.exec(host.startsWith('[') ? host.slice(host.indexOf(']')) : host)?.[1] ?? '';
const escapedPath = (path: string): string => path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%[\]]/gu, (c) => encodeURIComponent(c));

function unescapeQuery(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // Go leaves out what can't be unescaped.
    return undefined;
  }
}
function query(text: string): Value {
  const entries = new Map<string, { key: Value; value: ArrayList }>();
  for (const part of text.split('&')) {
    if (part === '' || part.includes(';')) continue;
    const equals = part.indexOf('=');
    const key = unescapeQuery(equals < 0 ? part : part.slice(0, equals));
    const value = equals < 0 ? '' : unescapeQuery(part.slice(equals + 1));
    if (key === undefined || value === undefined) continue;
    const known = entries.get(keyText(key)!)?.value.elements ?? [];
    entries.set(keyText(key)!, { key, value: new ArrayList([...known, value]) });
  }
  return new EntryMap(entries);
}

const part =
  (of: (p: Parts) => Value): Run =>
  ([u]) =>
    of((u as URLValue).parts);

export const urlFunctions: readonly FunctionDeclaration[] = [
  declare('url', [
    'string_to_url',
    [stringType],
    urlType,
    ([s]) => {
      const parts = parseRequestURI(s as string);
      if (typeof parts === 'string') return new CelError(`URL parse error during conversion from string: ${parts}`);
      return new URLValue(s as string, parts);
    },
  ]),
  declare('isURL', ['is_url_string', [stringType], boolType, ([s]) => typeof parseRequestURI(s as string) !== 'string']),
  declare('getScheme', ['.url_get_scheme', [urlType], stringType, part((p) => p.scheme)]),
  declare('getHost', ['.url_get_host', [urlType], stringType, part((p) => p.host)]),
  declare('getHostname', ['.url_get_hostname', [urlType], stringType, part((p) => hostname(p.host))]),
  declare('getPort', ['.url_get_port', [urlType], stringType, part((p) => port(p.host))]),
  declare('getEscapedPath', ['.url_get_escaped_path', [urlType], stringType, part((p) => escapedPath(p.path))]),
  declare('getQuery', ['.url_get_query', [urlType], mapOf(stringType, listOf(stringType)), part((p) => query(p.query))]),
];
