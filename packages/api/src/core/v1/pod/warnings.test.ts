import { expect, it } from 'vitest';
import { podWarnings } from './warnings.ts';

it('annotations that limit bandwidth do nothing, and whoever sets them is told', () => {
  const annotations = { 'kubernetes.io/egress-bandwidth': '1M', 'kubernetes.io/other': 'x' };
  const spec = { containers: [{ name: 'c', image: 'i' }] };
  const text = 'metadata.annotations[kubernetes.io/egress-bandwidth]: not supported; bandwidth is not limited';
  expect(podWarnings({ metadata: { annotations }, spec }, '')).toEqual([text]);
  expect(podWarnings({ metadata: { annotations }, spec }, 'spec.template.')).toEqual([`spec.template.${text}`]);
  expect(podWarnings({ spec }, '')).toEqual([]);
});
