import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { generateToken, isSignedWith, parseToken, parseTokenSecret, renderTokenSecret } from './bootstrap-token.ts';
import { formatTokens } from './token-commands.ts';

const token = { id: 'abcdef', secret: '0123456789abcdef' };

describe('tokens', () => {
  it('have kubeadm’s form', () => {
    const made = generateToken();
    expect(parseToken(`${made.id}.${made.secret}`)).toEqual(made);
    for (const bad of ['', 'abcdef', 'ABCDEF.0123456789abcdef', 'abcdef.0123456789abcdef\n', 'abcdef.0123456789abcdefa'])
      expect(() => parseToken(bad)).toThrow('A token has the form');
  });

  it('are kept in Secrets and read back', () => {
    const spec = {
      ...token,
      expiresAtMs: Date.UTC(2026, 0, 2),
      usages: ['signing', 'authentication'] as const,
      groups: ['system:bootstrappers:a', 'system:bootstrappers:b'],
      description: 'for a test',
    };
    const secret = renderTokenSecret(spec);
    expect(secret.metadata?.name).toBe('bootstrap-token-abcdef');
    expect(Buffer.from(secret.data?.['expiration'] ?? '', 'base64').toString()).toBe('2026-01-02T00:00:00Z');
    expect(parseTokenSecret(secret)).toEqual(spec);
    expect(parseTokenSecret({ ...secret, metadata: { name: 'bootstrap-token-other0' } })).toBeUndefined();
    const [, row] = formatTokens([spec], Date.UTC(2026, 0, 1, 12, 30));
    expect(row).toMatch(
      /^abcdef +11h30m +2026-01-02T00:00:00Z +authentication,signing +for a test +system:bootstrappers:a,system:bootstrappers:b$/,
    );
    expect(row).not.toContain(token.secret);
  });
});

describe('isSignedWith', () => {
  const encode = (text: string): string => Buffer.from(text).toString('base64url');
  const sign = (content: string, o: { alg?: string; kid?: string; secret?: string } = {}): string => {
    const header = encode(JSON.stringify({ alg: o.alg ?? 'HS256', kid: o.kid ?? token.id }));
    const mac = createHmac('sha256', o.secret ?? token.secret).update(`${header}.${encode(content)}`);
    return `${header}..${mac.digest('base64url')}`;
  };
  it.each([
    ['its own', sign('x'), true],
    ['other content', sign('y'), false],
    ['another secret', sign('x', { secret: 'f'.repeat(16) }), false],
    ['another key id', sign('x', { kid: 'zzzzzz' }), false],
    ['no algorithm', sign('x', { alg: 'none' }), false],
    ['content attached', sign('x').replace('..', `.${encode('x')}.`), false],
    ['nonsense', 'a..b', false],
    ['nothing', '', false],
  ])('%s', (_name, signature, expected) => expect(isSignedWith(token, 'x', signature)).toBe(expected));
});
