import { secret, type Secret } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { FakeObjects } from '../object-access.fake.ts';
import { createBootstrapTokenAuthenticator } from './bootstrap-token.ts';

const encode = (data: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(data).map(([k, v]) => [k, Buffer.from(v).toString('base64')]));
const token = 'abcdef.0123456789abcdef';

function check(data: Record<string, string>, presented = token) {
  const objects = new FakeObjects();
  objects.put<Secret>(secret, {
    metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
    type: 'bootstrap.kubernetes.io/token',
    data: encode({ 'token-id': 'abcdef', 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true', ...data }),
  });
  return createBootstrapTokenAuthenticator({ objects, nowMs: () => Date.parse('2026-01-01T00:00:00Z') }).authenticateToken(presented, []);
}

describe('bootstrap tokens', () => {
  it('are users of their own', async () => {
    expect((await check({ 'auth-extra-groups': 'system:bootstrappers:workers' }))?.user).toEqual({
      name: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers', 'system:bootstrappers:workers'],
    });
  });
  it('must be exact, meant for this, and in time', async () => {
    expect(await check({}, 'abcdef.0123456789abcdee')).toBeUndefined();
    expect(await check({}, 'nothing')).toBeUndefined();
    expect(await check({ 'usage-bootstrap-authentication': 'false' })).toBeUndefined();
    await expect(check({ expiration: '2025-12-31T23:59:59Z' })).rejects.toThrow('expired');
    await expect(check({ 'auth-extra-groups': 'system:masters' })).rejects.toThrow('invalid group');
  });
});
