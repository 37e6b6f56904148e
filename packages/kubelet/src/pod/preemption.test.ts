import { describe, expect, it } from 'vitest';
import type { PodSpec } from '@skiff/api';
import { choosePreempted, createRoomMaker } from './preemption.ts';
import { fakePod, snapshot } from './pod-context.fixture.ts';

const pod = (uid: string, spec: Partial<PodSpec>) => snapshot(fakePod(spec, { uid, name: uid }));
const asking = (uid: string, list: Record<string, string>, o: { limits?: boolean; priority?: number } = {}) =>
  pod(uid, {
    ...(o.priority === undefined ? {} : { priority: o.priority }),
    containers: [{ name: 'c', resources: { requests: list, ...(o.limits === true ? { limits: list } : {}) } }],
  });
const critical = pod('critical', { priority: 2_000_000_000, containers: [{ name: 'c' }] });
const cpu = (missing: number) => [{ resource: 'cpu', requested: missing, used: 0, capacity: 0 }];
const guaranteed = asking('guaranteed', { cpu: '1', memory: '1Gi' }, { limits: true });
const large = asking('large', { cpu: '1', memory: '2Gi' });
const small = asking('small', { cpu: '300m', memory: '1Gi' });
const other = asking('other', { cpu: '300m', memory: '2Gi' });
const bestEffort = pod('best-effort', { containers: [{ name: 'c' }] });
const all = [guaranteed, large, small, other, bestEffort];
const names = (list: readonly { metadata: { name: string } }[]): string[] => list.map((p) => p.metadata.name);

describe('room for a critical pod', () => {
  it.each([
    ['one that is enough, the smaller one', cpu(200), ['small']],
    ['fewest pods', cpu(600), ['large']],
    ['guaranteed pods last', cpu(1600), ['large', 'small', 'other']],
    ['guaranteed pods where nothing else does', cpu(2000), ['large', 'guaranteed']],
    ['a place on the node', [{ resource: 'pods', requested: 1, used: 5, capacity: 5 }], ['best-effort']],
  ])('%s', (_name, shortages, expected) => {
    expect(names(choosePreempted(critical, all, shortages))).toEqual(expected);
  });

  it('is not made by ending what is as critical', () => {
    const same = asking('same', { cpu: '4' }, { priority: 2_000_000_000 });
    expect(() => choosePreempted(critical, [same, small], cpu(400))).toThrow(
      'no set of running pods found to reclaim resources: [(res: cpu, q: 100), ]',
    );
  });
});

describe('making room', () => {
  const worker = (granted: ReturnType<typeof asking>, phase = 'syncing') => {
    const evicted: string[] = [];
    // By now it asks for more than it was granted.
    const wants = asking(granted.metadata.uid, { cpu: '4' });
    const evict = (reason: string): void => void evicted.push(reason);
    return { pod: wants, allocated: granted, state: { phase }, ended: Promise.resolve(), evicted, evict };
  };
  const roomMaker = (workers: readonly ReturnType<typeof worker>[]) =>
    createRoomMaker({ workers: () => workers, admit: () => undefined, event: () => undefined, metrics: { preempted: () => undefined } });

  it('counts what pods were granted, which is what their end frees', async () => {
    const workers = [worker(small), worker(large)];
    expect(await roomMaker(workers)(critical, cpu(600))).toBeUndefined();
    expect(workers.map((w) => w.evicted)).toEqual([[], ['Preempting']]);
    expect(await roomMaker([worker(small)])(critical, cpu(600))).toMatchObject({ reason: 'UnexpectedAdmissionError' });
  });
  it('waits for what ends anyway', async () => {
    const ending = worker(large, 'terminating');
    expect(await roomMaker([ending])(critical, cpu(600))).toBeUndefined();
    expect(ending.evicted).toEqual([]);
  });
});
