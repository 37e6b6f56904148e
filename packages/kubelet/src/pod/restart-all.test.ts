import type { PodStatus } from '@skiff/api';
import { expect, it } from 'vitest';
import { createFakeNode, fakePod } from './pod-context.fixture.ts';

it('a container that asks for it makes all of the pod start over, in the same sandbox', async () => {
  let runs = 0;
  await using node = createFakeNode({ programs: { source: (p) => (runs++ === 0 ? p.exit(42) : undefined), ready: (p) => p.exit(0) } });
  const told: PodStatus[] = [];
  const { set } = node.context.status;
  Object.assign(node.context.status, {
    set: (pod: Parameters<typeof set>[0], status: PodStatus) => {
      told.push(structuredClone(status));
      set(pod, status);
    },
  });
  node.start(
    fakePod({
      restartPolicy: 'Never',
      initContainers: [{ name: 'first', image: 'fake:1', command: ['ready'] }],
      containers: [
        {
          name: 'a',
          image: 'fake:1',
          command: ['source'],
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } }],
        },
        { name: 'b', image: 'fake:1', command: ['pause'] },
      ],
    }),
  );
  await node.settle();
  await node.settle(1_100);
  expect(told.map((s) => s.phase)).not.toContain('Failed');
  const restarting = told.map((s) => s.conditions?.find((c) => c.type === 'AllContainersRestarting')?.status);
  expect(restarting).toContain('True');
  expect(restarting.at(-1)).toBe('False');
  const over = { terminated: { reason: 'RestartingAllContainers', exitCode: 137 } };
  expect(node.status('u')).toMatchObject({
    phase: 'Running',
    initContainerStatuses: [{ name: 'first', restartCount: 1, state: { terminated: { exitCode: 0 } }, lastState: over }],
    containerStatuses: [
      { name: 'a', restartCount: 1, ready: true, state: { running: {} }, lastState: over },
      { name: 'b', restartCount: 1, ready: true, state: { running: {} }, lastState: over },
    ],
  });
  expect(runs).toBe(2);
  expect(node.fake.containers.size).toBe(3);
  expect((await node.context.runtime.listPodSandbox({ podUid: 'u' })).map((s) => s.metadata.attempt)).toEqual([0]);
});
