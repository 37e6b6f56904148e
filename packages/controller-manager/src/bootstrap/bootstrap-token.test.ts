import type { Secret } from '@skiff/api';
import { FlattenedSign, flattenedVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { detachedSignature, parseBootstrapToken } from './bootstrap-token.ts';

const encode = (text: string): string => Buffer.from(text).toString('base64');
const secret = (data: Record<string, string>, name = 'bootstrap-token-abcdef'): Secret => ({
  metadata: { name },
  data: Object.fromEntries(Object.entries(data).map(([k, v]) => [k, encode(v)])),
});
const valid = { 'token-id': 'abcdef', 'token-secret': '0123456789abcdef' };

describe('bootstrap tokens', () => {
  it('are read from Secrets of their name', () => {
    expect(parseBootstrapToken(secret({ ...valid, 'usage-bootstrap-signing': 'true' }))).toEqual({
      id: 'abcdef',
      secret: '0123456789abcdef',
      signing: true,
      expiresAtMs: undefined,
    });
    expect(parseBootstrapToken(secret(valid, 'bootstrap-token-other'))).toBeUndefined();
    expect(parseBootstrapToken(secret({ ...valid, 'token-secret': 'short' }))).toBeUndefined();
  });
  it('have expired when their expiration can not be read', () => {
    expect(parseBootstrapToken(secret({ ...valid, expiration: 'soon' }))?.expiresAtMs).toBe(0);
    expect(parseBootstrapToken(secret({ ...valid, expiration: '2026-01-01T00:00:00Z' }))?.expiresAtMs).toBe(Date.UTC(2026, 0, 1));
  });
  it('sign so that others can verify', async () => {
    const token = parseBootstrapToken(secret(valid));
    if (token === undefined) throw new Error('no token');
    const [header = '', , signature = ''] = detachedSignature('content', token).split('.');
    const key = Buffer.from(token.secret);
    const verified = await flattenedVerify({ protected: header, payload: Buffer.from('content').toString('base64url'), signature }, key);
    expect(Buffer.from(verified.payload).toString()).toBe('content');
    const other = await new FlattenedSign(Buffer.from('content')).setProtectedHeader({ alg: 'HS256', kid: 'abcdef' }).sign(key);
    expect(`${other.protected ?? ''}..${other.signature}`).toBe(`${header}..${signature}`);
  });
});
