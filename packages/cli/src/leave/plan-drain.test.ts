import { expect, it } from 'vitest';
import { nameOf, planDrain, type DrainedPod } from './plan-drain.ts';

const pod = (name: string, o: { owner?: string; phase?: string; mirror?: boolean } = {}): DrainedPod => ({
  metadata: {
    name,
    namespace: 'n',
    uid: name,
    ...(o.mirror === true ? { annotations: { 'kubernetes.io/config.mirror': 'x' } } : {}),
    ...(o.owner === undefined ? {} : { ownerReferences: [{ kind: o.owner, controller: true }] }),
  },
  status: { phase: o.phase ?? 'Running' },
});

it('evicts all but pods of DaemonSets and mirror pods; those without an owner are told apart', () => {
  const plan = planDrain([
    pod('web', { owner: 'ReplicaSet' }),
    pod('agent', { owner: 'DaemonSet' }),
    pod('static', { mirror: true }),
    pod('alone'),
    pod('done', { phase: 'Succeeded' }),
  ]);
  expect(plan.evict.map(nameOf)).toEqual(['n/web', 'n/alone', 'n/done']);
  expect(plan.unmanaged.map(nameOf)).toEqual(['n/alone']);
});
