import type { JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

const budget = one('podDisruptionBudget');
const priorityClass = one('priorityClass');
const runtimeClass = one('runtimeClass');

const condition: JsonObject = { type: 'a b', status: 'Odd', reason: '', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' };

export const policyCases: readonly GoldenCase[] = [
  budget('plain', { spec: { minAvailable: 1, selector: { matchLabels: { a: 'b' } } } }),
  budget('nothing', { spec: {} }),
  budget('both', { spec: { minAvailable: 1, maxUnavailable: '5%' } }),
  budget('percent', { spec: { minAvailable: '101%' } }),
  budget('words', { spec: { maxUnavailable: 'many' } }),
  budget('negative', { spec: { maxUnavailable: -1, unhealthyPodEvictionPolicy: 'Odd', selector: { matchLabels: { 'a b': '' } } } }),
  budget('update', { spec: { minAvailable: 1 } }, { change: { spec: { minAvailable: -1 } } }),
  budget(
    'status',
    { spec: { minAvailable: 1 } },
    {
      change: { status: { disruptionsAllowed: -1, currentHealthy: -1, desiredHealthy: -1, expectedPods: -1, conditions: [condition] } },
      subresource: 'status',
    },
  ),

  priorityClass('plain', { value: 5 }),
  priorityClass('too high', { value: 1_000_000_001, preemptionPolicy: 'Odd' }),
  priorityClass('system', { metadata: { name: 'system-mine' }, value: 1 }),
  priorityClass('other value', { value: 5 }, { change: { value: 6, preemptionPolicy: 'Never', description: 'x' } }),
  priorityClass('globalDefault', { value: 5 }, { change: { globalDefault: true } }),

  runtimeClass('plain', { handler: 'runc' }),
  runtimeClass('nothing', { handler: '' }),
  runtimeClass('handler', { handler: 'A_', overhead: { podFixed: { cpu: '-1', x: '1' } } }),
  runtimeClass('scheduling', {
    handler: 'a',
    scheduling: {
      nodeSelector: { 'a b': 'c' },
      tolerations: [
        { key: 'a', operator: 'Exists' },
        { key: 'a', operator: 'Exists' },
        { operator: 'Equal', value: 'x' },
      ],
    },
  }),
  runtimeClass('old label', { handler: 'a', scheduling: { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } } }),
  runtimeClass('other handler', { handler: 'a' }, { change: { handler: 'b' } }),
];
