import { describe, expect, it } from 'vitest';
import type { Secret } from '../../../generated/types/core-v1.ts';
import { secret } from '../secret.ts';

describe('what is accepted and not enforced', () => {
  it.each<[Secret, number]>([
    [{ type: 'kubernetes.io/service-account-token' }, 1],
    [{ type: 'kubernetes.io/service-account-token', data: { token: 'eA==' } }, 0],
    [{ type: 'Opaque' }, 0],
  ])('is said of Secrets that wait for a token: %j', (object, count) => expect(secret.strategy?.warnings?.(object)).toHaveLength(count));
});
