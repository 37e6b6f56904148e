import { createHash, createHmac, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto';
import { UserError } from '../user-error.ts';

/** A token as it is handed over: `id.secret`. The id is public, the secret is not. */
export interface TokenParts {
  readonly id: string;
  readonly secret: string;
}

/** Who may read the encrypted certificates of the control plane: no worker can with its token. */
export const controlPlaneTokenGroup = 'system:bootstrappers:skiff:control-plane';
export const defaultTokenGroups: readonly string[] = ['system:bootstrappers:kubeadm:default-node-token'];
export const tokenUsages = ['signing', 'authentication'] as const;
export type TokenUsage = (typeof tokenUsages)[number];

/** Throws UserError for what is no token; the text does not repeat it. */
export function parseToken(text: string): TokenParts {
  const match = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(text);
  if (match === null)
    throw new UserError('A token has the form abcdef.0123456789abcdef: six and sixteen characters of a-z and 0-9.', 'usage');
  return { id: match[1] ?? '', secret: match[2] ?? '' };
}

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz';

function randomText(length: number): string {
  let text = '';
  // Bytes beyond the last whole round of the alphabet would favour its beginning.
  while (text.length < length) for (const byte of randomBytes(length)) if (byte < 252 && text.length < length) text += alphabet[byte % 36];
  return text;
}

export const generateToken = (): TokenParts => ({ id: randomText(6), secret: randomText(16) });

export interface TokenSpec extends TokenParts {
  /** undefined: it never expires. */
  readonly expiresAtMs: number | undefined;
  readonly usages: readonly TokenUsage[];
  readonly groups: readonly string[];
  readonly description: string;
}

const namePrefix = 'bootstrap-token-';
export const secretNameOf = (id: string): string => namePrefix + id;

export interface TokenSecret {
  readonly metadata?: { readonly name?: string };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** The Secret of a token (type bootstrap.kubernetes.io/token), as kubeadm writes it. */
export function renderTokenSecret(token: TokenSpec): TokenSecret & { readonly apiVersion: 'v1'; readonly kind: 'Secret' } {
  const text: Record<string, string> = {
    'token-id': token.id,
    'token-secret': token.secret,
    ...Object.fromEntries(token.usages.map((usage) => [`usage-bootstrap-${usage}`, 'true'])),
    ...(token.groups.length === 0 ? {} : { 'auth-extra-groups': token.groups.join(',') }),
    ...(token.expiresAtMs === undefined ? {} : { expiration: `${new Date(token.expiresAtMs).toISOString().slice(0, 19)}Z` }),
    ...(token.description === '' ? {} : { description: token.description }),
  };
  const data = Object.fromEntries(Object.entries(text).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: secretNameOf(token.id) }, type: 'bootstrap.kubernetes.io/token', data };
}

/** undefined for a Secret that is no token of its own name. */
export function parseTokenSecret(secret: TokenSecret): TokenSpec | undefined {
  const value = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  const id = value('token-id');
  if (secret.metadata?.name !== secretNameOf(id) || value('token-secret') === '') return undefined;
  const expiration = value('expiration');
  return {
    id,
    secret: value('token-secret'),
    expiresAtMs: expiration === '' ? undefined : Date.parse(expiration),
    usages: tokenUsages.filter((usage) => value(`usage-bootstrap-${usage}`) === 'true'),
    groups: value('auth-extra-groups')
      .split(',')
      .filter((g) => g !== ''),
    description: value('description'),
  };
}

/** The pin of a CA: `sha256:` and the hash of its public key (SubjectPublicKeyInfo, DER), as kubeadm counts it. Takes PEM. */
export function caCertificateHash(pem: string): string {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

/** Whether `signature`, a JWS with detached content (RFC 7515, appendix F), was made over `content` by who knows the token. */
export function isSignedWith(token: TokenParts, content: string, signature: string): boolean {
  const [header = '', detached, given = ''] = signature.split('.');
  if (detached !== '') return false;
  let fields: { alg?: unknown; kid?: unknown };
  try {
    fields = JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as typeof fields;
  } catch {
    return false;
  }
  if (fields?.alg !== 'HS256' || fields.kid !== token.id) return false;
  const payload = Buffer.from(content).toString('base64url');
  const expected = createHmac('sha256', token.secret).update(`${header}.${payload}`).digest();
  const actual = Buffer.from(given, 'base64url');
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
