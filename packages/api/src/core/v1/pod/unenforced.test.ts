import { describe, expect, it } from 'vitest';
import type { PodSpec, Secret } from '../../../generated/types/core-v1.ts';
import { secret } from '../secret.ts';
import { podWarnings } from './warnings.ts';

const limited: PodSpec = {
  volumes: [
    { name: 'disk', emptyDir: { sizeLimit: '1Mi' } },
    { name: 'memory', emptyDir: { sizeLimit: '1Mi', medium: 'Memory' } },
    { name: 'free', emptyDir: {} },
  ],
  initContainers: [{ name: 'i', resources: { limits: { 'ephemeral-storage': '1Mi' } } }],
  containers: [{ name: 'c', resources: { limits: { cpu: '1' }, requests: { 'ephemeral-storage': '1Mi' } } }],
};

describe('what is accepted and not enforced', () => {
  it('is said of pods', () =>
    expect(podWarnings({ spec: limited }, '')).toEqual([
      'spec.volumes[0].emptyDir.sizeLimit: not enforced for volumes on disk',
      'spec.initContainers[0].resources.limits[ephemeral-storage]: not enforced',
    ]));
  it('is said of templates', () =>
    expect(podWarnings({ spec: limited }, 'spec.template.')[0]).toMatch(/^spec\.template\.spec\.volumes\[0\]/));

  it.each<[Secret, number]>([
    [{ type: 'kubernetes.io/service-account-token' }, 1],
    [{ type: 'kubernetes.io/service-account-token', data: { token: 'eA==' } }, 0],
    [{ type: 'Opaque' }, 0],
  ])('is said of Secrets that wait for a token: %j', (object, count) => expect(secret.strategy?.warnings?.(object)).toHaveLength(count));
});
