import { silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { removeDeadContainers } from './dead-containers.ts';
import { createFakeNode, fakePod } from './pod-context.fixture.ts';

describe('dead containers', () => {
  it('go even when another one can not be removed', async () => {
    await using node = createFakeNode();
    const workers = ['a', 'b'].map((uid) =>
      node.start(
        fakePod({ restartPolicy: 'Never', containers: [{ name: 'c', image: 'fake:1', command: ['exit', '0'] }] }, { name: uid, uid }),
      ),
    );
    await node.settle(1000);
    expect(workers.map((w) => w.state.phase)).toEqual(['finished', 'finished']);
    const stuck = workers[0]?.observed.containers[0]?.id;
    const removeContainer = async (id: string): Promise<void> => {
      if (id === stuck) throw new Error('device or resource busy');
      await node.fake.runtime.removeContainer(id);
    };
    expect(await removeDeadContainers(workers, { runtime: { removeContainer }, log: silentLogger })).toBe(1);
    expect((await node.fake.runtime.listContainers()).map((c) => c.id)).toEqual([stuck]);
  });
});
