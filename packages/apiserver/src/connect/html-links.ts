import { pipeline, Readable, Transform } from 'node:stream';
import { createDeflateRaw, createGunzip, createGzip, createInflateRaw } from 'node:zlib';

/** Where HTML keeps URLs: elements and their attributes. */
const linkAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['formaction', 'src', 'usemap'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};
/** Elements whose content is text up to their own end tag. */
const rawText = /^(?:script|style|textarea|title|xmp|noembed|noframes|iframe)$/;
/** What is longer is no tag or comment that a browser would like either. */
const longestMarkup = 64 * 1024;

const startTag = /^<([a-zA-Z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>/;
const attribute = /([^\s"'<>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/g;

function rewriteTag(tag: string, name: string, rewrite: (url: string) => string): string {
  const wanted = linkAttributes[name];
  if (wanted === undefined) return tag;
  return tag.replace(attribute, (whole: string, key: string, equals: string, value: string) => {
    if (!wanted.includes(key.toLowerCase())) return whole;
    const quote = value.startsWith('"') || value.startsWith("'") ? value.charAt(0) : '';
    return `${key}${equals}${quote}${rewrite(quote === '' ? value : value.slice(1, -1))}${quote}`;
  });
}

/**
 * Changes the links in a HTML text that comes in pieces; everything else stays as it is. `push` keeps back a tag that is not
 * complete yet, `end` gives it out.
 */
export function createLinkRewriter(rewrite: (url: string) => string): { push(text: string): string; end(): string } {
  let rest = '';
  let until: string | undefined;
  const step = (text: string): { out: string; used: number } | undefined => {
    if (until !== undefined) {
      const at = text.toLowerCase().indexOf(until);
      if (at < 0) {
        const used = Math.max(0, text.length - until.length);
        return used === 0 ? undefined : { out: text.slice(0, used), used };
      }
      const used = until === '-->' ? at + until.length : at;
      until = undefined;
      return { out: text.slice(0, used), used };
    }
    const at = text.indexOf('<');
    if (at !== 0) return { out: at < 0 ? text : text.slice(0, at), used: at < 0 ? text.length : at };
    if (text.length < 4 && '<!--'.startsWith(text)) return undefined;
    if (text.startsWith('<!--')) {
      until = '-->';
      return { out: '<!--', used: 4 };
    }
    if (!/^<[a-zA-Z]/.test(text)) return { out: '<', used: 1 };
    const match = startTag.exec(text);
    if (match === null) return text.length < longestMarkup ? undefined : { out: '<', used: 1 };
    const name = (match[1] ?? '').toLowerCase();
    if (rawText.test(name)) until = `</${name}`;
    return { out: rewriteTag(match[0], name, rewrite), used: match[0].length };
  };
  return {
    push: (text) => {
      rest += text;
      let out = '';
      for (let next = rest === '' ? undefined : step(rest); next !== undefined; next = rest === '' ? undefined : step(rest)) {
        out += next.out;
        rest = rest.slice(next.used);
      }
      return out;
    },
    end: () => {
      const left = rest;
      rest = '';
      return left;
    },
  };
}

/** URLs of the backend's own site get the proxy's path in front; `hosts` are the names that it goes by. */
export function proxiedUrl(url: string, o: { readonly prefix: string; readonly backend: string; readonly host: string }): string {
  const absolute = /^(https?:)?\/\/([^/?#]*)(\/[^]*)?$/i.exec(url);
  const [origin, path] =
    absolute === null ? ['', url] : [absolute[2] === o.backend ? '' : `${absolute[1] ?? ''}//${absolute[2] ?? ''}`, absolute[3] ?? ''];
  if (absolute !== null && absolute[2] !== o.backend && absolute[2] !== o.host) return url;
  if (absolute === null && !path.startsWith('/')) return url;
  if (path === o.prefix || path.startsWith(`${o.prefix}/`)) return url;
  return `${origin}${o.prefix}${path}`;
}

const codecs = {
  gzip: { decode: createGunzip, encode: createGzip },
  deflate: { decode: createInflateRaw, encode: createDeflateRaw },
} as const;

/** Whether an answer is HTML in an encoding that can be read. */
export const canRewriteLinks = (contentType: string, encoding: string): boolean =>
  contentType.split(';')[0]?.trim().toLowerCase() === 'text/html' && (encoding === '' || encoding in codecs);

/** The body with its links changed, in the same encoding. All encodings of HTML have ASCII's bytes for what matters here. */
export function rewriteLinks(body: Readable, encoding: string, rewrite: (url: string) => string): Readable {
  const rewriter = createLinkRewriter(rewrite);
  const transform = new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, Buffer.from(rewriter.push(chunk.toString('latin1')), 'latin1')),
    flush: (done) => done(null, Buffer.from(rewriter.end(), 'latin1')),
  });
  // Whoever reads the last stream gets every error.
  const fail = (error: unknown): void => void (error instanceof Error && transform.destroy(error));
  const codec = encoding === '' ? undefined : codecs[encoding as keyof typeof codecs];
  if (codec === undefined) return pipeline(body, transform, fail) as Readable;
  const encoder = codec.encode();
  pipeline(body, codec.decode(), transform, encoder, (error) => void (error && encoder.destroy(error)));
  return encoder;
}
