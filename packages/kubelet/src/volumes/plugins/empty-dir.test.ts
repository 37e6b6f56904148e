import { describe, expect, it } from 'vitest';
import { snapshotPod, type PodSnapshot } from '../../pod/pod-snapshot.ts';
import { pageSizeOf } from './empty-dir.ts';

const pod = (...sizes: string[]): PodSnapshot =>
  snapshotPod({
    metadata: { name: 'p', namespace: 'n', uid: 'u' },
    spec: { containers: [{ name: 'c', resources: { requests: Object.fromEntries(sizes.map((s) => [`hugepages-${s}`, s])) } }] },
  }) as PodSnapshot;

describe('huge pages as a medium', () => {
  it.each([
    ['HugePages', ['2Mi'], '2M'],
    ['HugePages-1Gi', ['2Mi', '1Gi'], '1G'],
  ])('%s with %j', (medium, sizes, expected) => {
    expect(pageSizeOf(medium, pod(...sizes))).toBe(expected);
  });
  it.each([
    ['HugePages', ['2Mi', '1Gi'], 'multiple huge page sizes'],
    ['HugePages', [], 'does not request'],
    ['HugePages-1Gi', ['2Mi'], 'does not request'],
  ])('%s with %j is refused', (medium, sizes, expected) => {
    expect(() => pageSizeOf(medium, pod(...sizes))).toThrow(expected);
  });
});
