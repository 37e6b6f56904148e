import { FakeClock } from '@skiff/component-base';
import { beforeEach, describe, expect, it } from 'vitest';
import { nodeEvent } from '../framework/node-change.ts';
import { createPodInfo, type PodInfo } from '../framework/pod-info.ts';
import { createProfile } from '../framework/profile.ts';
import { node, pod, podInfo } from '../framework/test-objects.ts';
import { nodeResourcesFit } from '../plugins/node-resources-fit.ts';
import { schedulingGates } from '../plugins/scheduling-gates.ts';
import { taintToleration } from '../plugins/taint-toleration.ts';
import { SchedulingQueue } from './scheduling-queue.ts';

const profile = createProfile([{ plugin: schedulingGates }, { plugin: taintToleration }, { plugin: nodeResourcesFit }]);
const byFit = { rejectedBy: new Set(['NodeResourcesFit']) };
const byTaint = { rejectedBy: new Set(['TaintToleration']) };

describe('SchedulingQueue', () => {
  let clock: FakeClock;
  let queue: SchedulingQueue;
  beforeEach(() => {
    clock = new FakeClock();
    queue = new SchedulingQueue(profile, clock);
  });
  const popped = (): string[] => {
    const names: string[] = [];
    for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) names.push(entry.info.name);
    return names;
  };
  /** Adds a pod and has it turned away. */
  const turnAway = (info: PodInfo, why: { rejectedBy: Set<string> } | 'error'): void => {
    queue.add(info);
    const entry = queue.pop();
    if (entry !== undefined) queue.requeue(entry, why);
  };

  it('gives the most important first, and equals in order of arrival', () => {
    for (const [name, priority] of Object.entries({ a: 0, b: 5, c: 0, d: 5 })) queue.add(podInfo({ name, spec: { priority } }));
    expect(popped()).toEqual(['b', 'd', 'a', 'c']);
  });

  it('keeps who was turned away until something helps', async () => {
    turnAway(podInfo({ name: 'a', requests: { cpu: '4' } }), byFit);
    await clock.advance(60_000);
    expect(popped()).toEqual([]);
    queue.event(nodeEvent(['add'], undefined, node('small', { allocatable: { cpu: '1', memory: '1Gi', pods: '9' } })));
    queue.event(nodeEvent(['update-labels'], node('x'), node('x', { labels: { a: 'b' } })));
    expect(popped()).toEqual([]);
    queue.event(nodeEvent(['add'], undefined, node('large')));
    expect(popped()).toEqual(['a']);
  });

  it('asks only the plugins that turned it away', () => {
    turnAway(podInfo({ name: 'a', requests: { cpu: '1' } }), byTaint);
    queue.event({ resource: 'AssignedPod', actions: ['delete'] });
    expect(queue.counts()).toMatchObject({ unschedulable: 1 });
    queue.event(nodeEvent(['update-taints'], node('n', { taints: [{ key: 'k', effect: 'NoSchedule' }] }), node('n')));
    expect(queue.counts()).toMatchObject({ unschedulable: 0, backoff: 1 });
  });

  it('backs off longer with each attempt, ten seconds at most', async () => {
    queue.add(podInfo({ name: 'a' }));
    for (const seconds of [1, 2, 4, 8, 10, 10]) {
      const entry = queue.pop();
      if (entry === undefined) throw new Error('not there');
      queue.requeue(entry, 'error');
      await clock.advance(seconds * 1000 - 1);
      expect(popped()).toEqual([]);
      await clock.advance(1);
    }
    expect(popped()).toEqual(['a']);
  });

  it('does not miss what happens while a pod is being placed', () => {
    queue.add(podInfo({ name: 'a', requests: { cpu: '1' } }));
    const entry = queue.pop();
    queue.event(nodeEvent(['add'], undefined, node('n')));
    if (entry !== undefined) queue.requeue(entry, byFit);
    expect(queue.counts()).toMatchObject({ unschedulable: 0, backoff: 1 });
  });

  it('tries again after five minutes without any event', async () => {
    turnAway(podInfo({ name: 'a' }), byFit);
    await clock.advance(299_000);
    expect(popped()).toEqual([]);
    await clock.advance(31_000);
    expect(popped()).toEqual(['a']);
  });

  it('keeps gated pods out until their gates are gone', () => {
    const gated = pod({ name: 'a', spec: { schedulingGates: [{ name: 'g' }] } });
    queue.add(createPodInfo(gated));
    queue.event(nodeEvent(['add'], undefined, node('n')));
    expect(queue.counts()).toMatchObject({ gated: 1, active: 0 });
    queue.update(createPodInfo({ ...gated, spec: { ...gated.spec, containers: [], schedulingGates: [] } }));
    expect(popped()).toEqual(['a']);
  });

  it('lets a changed pod try again when the change may help', () => {
    const waiting = pod({ name: 'a' });
    turnAway(createPodInfo(waiting), byTaint);
    queue.update(createPodInfo({ ...waiting, metadata: { ...waiting.metadata, labels: { x: 'y' } } }));
    expect(queue.counts()).toMatchObject({ unschedulable: 1 });
    queue.update(createPodInfo({ ...waiting, spec: { containers: [], tolerations: [{ operator: 'Exists' }] } }));
    expect(queue.counts()).toMatchObject({ unschedulable: 0, backoff: 1 });
  });

  it('forgets deleted pods, wherever they are', async () => {
    const [active, waiting, flying] = [podInfo({ name: 'active' }), podInfo({ name: 'waiting' }), podInfo({ name: 'flying' })];
    turnAway(waiting, byFit);
    queue.add(flying);
    const entry = queue.pop();
    queue.add(active);
    for (const info of [active, waiting, flying]) queue.delete(info.uid);
    if (entry !== undefined) queue.requeue(entry, 'error');
    await clock.advance(600_000);
    expect(popped()).toEqual([]);
    expect(queue.counts()).toEqual({ active: 0, backoff: 0, unschedulable: 0, gated: 0 });
  });

  it('wakes who waits', async () => {
    const waiting = queue.ready(new AbortController().signal);
    queue.add(podInfo({ name: 'a' }));
    await waiting;
    expect(popped()).toEqual(['a']);
  });
});
