import { invalid, notFound, tooManyRequests } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { errorResponse, warningHeader, warningHeaders } from './responses.ts';
import { yamlText } from './yaml-text.ts';

const json = { mediaType: 'json', pretty: false } as const;
const text = (r: { body: Iterable<Buffer> }): string => Buffer.concat([...r.body]).toString();

describe('errorResponse', () => {
  it('is a Status, whatever was thrown', () => {
    const r = errorResponse(notFound({ group: 'apps', resource: 'deployments' }, 'd'), json);
    expect([r.code, JSON.parse(text(r))]).toEqual([
      404,
      {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'deployments.apps "d" not found',
        reason: 'NotFound',
        details: { name: 'd', group: 'apps', kind: 'deployments' },
        code: 404,
      },
    ]);
    expect(errorResponse(new Error('x'), json).code).toBe(500);
    expect(errorResponse(invalid({ group: '', kind: 'Pod' }, 'p', []), json).code).toBe(422);
  });
  it('says when to come again', () => {
    expect(errorResponse(tooManyRequests('later', 7), json).headers).toEqual({ 'retry-after': '7' });
  });
});

describe('warnings', () => {
  it('are quoted, on one line, and bytes', () => {
    expect(warningHeader('say "no"\nnow')).toBe('299 - "say \\"no\\" now"');
    expect(warningHeader('ä')).toBe(`299 - "${Buffer.from('ä').toString('latin1')}"`);
    expect(warningHeader('a\u0000b')).toBe('299 - "ab"');
  });
  it('come once each and are cut when there are too many', () => {
    expect(warningHeaders(['a', 'a', 'b'])).toEqual(['299 - "a"', '299 - "b"']);
    const many = warningHeaders(Array.from({ length: 100 }, (_, i) => `${i} ${'x'.repeat(500)}`));
    expect(many).toHaveLength(16);
    expect(many[0]?.length).toBeLessThan(300);
  });
});

describe('yamlText', () => {
  it('writes as Go does', () => {
    expect(yamlText({ b: ['x', { d: 1, c: '2020-01-01T00:00:00Z' }], a: 'yes' })).toBe(
      'a: "yes"\nb:\n- x\n- c: "2020-01-01T00:00:00Z"\n  d: 1\n',
    );
  });
});
