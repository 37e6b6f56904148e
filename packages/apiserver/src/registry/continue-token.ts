import { badRequest } from '@skiff/apimachinery';

/** Where a paged LIST goes on: a key (the first that may be returned) and the revision of its first page, -1 = the latest. */
export interface ContinuePosition {
  readonly from: string;
  readonly revision: number;
}

/** Upstream's token: base64url of `{"v":"meta.k8s.io/v1","rv":N,"start":"name\u0000"}`. `from` begins with `prefix`. */
export function encodeContinue(from: string, prefix: string, revision: number): string {
  const token = { v: 'meta.k8s.io/v1', rv: revision, start: from.slice(prefix.length) };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** Throws BadRequest in upstream's words. The key never leaves `prefix`. */
export function decodeContinue(token: string, prefix: string): ContinuePosition {
  const fail = (why: string): never => {
    throw badRequest(`invalid continue token: continue key is not valid${why}`);
  };
  if (!/^[A-Za-z0-9_-]*$/.test(token)) {
    const at = token.search(/[^A-Za-z0-9_-]/);
    return fail(`: illegal base64 data at input byte ${at}`);
  }
  // One character too many says nothing.
  if (token.length % 4 === 1) return fail(`: illegal base64 data at input byte ${token.length - 1}`);
  let value: unknown;
  const text = Buffer.from(token, 'base64url').toString('utf8');
  try {
    value = JSON.parse(text);
  } catch {
    return fail(text === '' ? ': unexpected end of JSON input' : `: invalid character '${text.charAt(0)}' looking for beginning of value`);
  }
  const { v, rv, start } = (typeof value === 'object' && value !== null ? value : {}) as { v?: unknown; rv?: unknown; start?: unknown };
  if (v !== 'meta.k8s.io/v1')
    throw badRequest(
      `invalid continue token: continue key is not valid: server does not recognize this encoded version ${typeof v === 'string' ? v : ''}`,
    );
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0)
    return fail(': incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (typeof start !== 'string' || start === '') return fail(': encoded start key empty (version meta.k8s.io/v1)');
  const key = start.startsWith('/') ? start.slice(1) : start;
  if (key === '' || key.split('/').some((s) => s === '' || s === '.' || s === '..')) return fail(`: ${start}`);
  return { from: prefix + key, revision: rv };
}
