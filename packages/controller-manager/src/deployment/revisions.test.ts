import { describe, expect, it } from 'vitest';
import { newReplicaSetAnnotations, nextRevision, revisionAnnotation, revisionHistoryAnnotation, revisionOf } from './revisions.ts';

const set = (revision: string) => ({ metadata: { annotations: { [revisionAnnotation]: revision } } });

describe('revisions', () => {
  it('follow the highest, also beyond what a number holds', () => {
    expect(nextRevision([])).toBe(1n);
    expect(nextRevision([set('3'), set('x'), set('2'), {}])).toBe(4n);
    expect(String(nextRevision([set('3546343826724305832')]))).toBe('3546343826724305833');
  });
  it('are int64', () => {
    expect(revisionOf(set('9223372036854775807'))).toBe(9223372036854775807n);
    expect(revisionOf(set('9223372036854775808'))).toBeUndefined();
    expect(revisionOf(set('+5'))).toBe(5n);
  });
  it('that are higher or no numbers stay', () => {
    expect(newReplicaSetAnnotations({}, { [revisionAnnotation]: '7' }, 7n)).toEqual({ [revisionAnnotation]: '7' });
    expect(newReplicaSetAnnotations({}, { [revisionAnnotation]: 'x' }, 7n)).toEqual({ [revisionAnnotation]: 'x' });
    expect(newReplicaSetAnnotations({}, { [revisionAnnotation]: '1' }, 7n)).toEqual({
      [revisionAnnotation]: '7',
      [revisionHistoryAnnotation]: '1',
    });
  });
});
