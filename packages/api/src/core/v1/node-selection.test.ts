import { describe, expect, it } from 'vitest';
import { nodeTermMatches, selectsNode } from './node-selection.ts';

const node = { name: 'n1', labels: { zone: 'a', size: '12', word: 'big' } };
const by = (key: string, operator: string, ...values: string[]) => ({ matchExpressions: [{ key, operator, values }] });

describe('selection of nodes', () => {
  it.each([
    [by('zone', 'In', 'a', 'b'), true],
    [by('zone', 'NotIn', 'a'), false],
    [by('absent', 'NotIn', 'a'), true],
    [by('zone', 'Exists'), true],
    [by('absent', 'DoesNotExist'), true],
    [by('size', 'Gt', '9'), true],
    [by('size', 'Lt', '9'), false],
    [by('word', 'Gt', '9'), false],
    [by('size', 'Gt', 'few'), false],
    [by('size', 'Unknown'), false],
    [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }, true],
    [{ matchFields: [{ key: 'metadata.uid', operator: 'In', values: ['n1'] }] }, false],
    [{}, false],
  ])('a term %j: %s', (term, expected) => {
    expect(nodeTermMatches(term, node)).toBe(expected);
  });

  it('takes both the selector and one of the terms', () => {
    const affinity = (...terms: object[]) => ({
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } },
    });
    expect(selectsNode(undefined, node)).toBe(true);
    expect(selectsNode({ nodeSelector: { zone: 'b' } }, node)).toBe(false);
    expect(selectsNode({ nodeSelector: { zone: 'a' }, ...affinity(by('absent', 'Exists'), by('zone', 'Exists')) }, node)).toBe(true);
    expect(selectsNode(affinity(), node)).toBe(false);
  });
});
