import type { Service } from '@skiff/api';
import { FakeClock } from '@skiff/component-base';
import type { DrainRequest, DrainResponse } from '@skiff/tunnel';
import { describe, expect, it } from 'vitest';
import { createDrain, drainTimes } from './drain.ts';
import type { PodSnapshot } from './pod-snapshot.ts';

const pod = (o: { hostNetwork?: boolean; podIP?: string; isStatic?: boolean } = {}): PodSnapshot => ({
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: {
    name: 'web',
    namespace: 'a',
    uid: 'u',
    labels: { app: 'web' },
    ...(o.isStatic === true ? { annotations: { 'kubernetes.io/config.source': 'file' } } : {}),
  },
  spec: { containers: [{ name: 'c' }], ...(o.hostNetwork === undefined ? {} : { hostNetwork: o.hostNetwork }) } as PodSnapshot['spec'],
  status: 'podIP' in o && o.podIP === undefined ? {} : { podIP: '10.244.0.5' },
});
const web: Service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'a' }, spec: { selector: { app: 'web' } } };

function setUp(o: { answer?: () => Promise<DrainResponse | undefined>; services?: readonly Service[] } = {}) {
  const clock = new FakeClock();
  const asked: (DrainRequest & { timeoutMs: number })[] = [];
  const drain = createDrain({
    ask: (r, timeoutMs) => {
      asked.push({ ...r, timeoutMs });
      return o.answer?.() ?? Promise.resolve({ inService: true, openConnections: 0 });
    },
    services: () => o.services ?? [web],
    clock,
  });
  const start = (p: PodSnapshot, graceSeconds: number, ready = true) => {
    const stop = new AbortController();
    const state = { done: false };
    const done = drain(p, { graceSeconds, ready, signal: stop.signal }).then(() => {
      state.done = true;
    });
    return { state, done, stop };
  };
  return { clock, asked, start };
}

describe('the drain of a pod that ends', () => {
  it('asks the control plane, with times that the grace period can spare', async () => {
    const t = setUp();
    await t.start(pod(), 30).done;
    expect(t.asked).toEqual([{ podNamespace: 'a', podName: 'web', podUid: 'u', chooseTimeoutMs: 2000, lingerMs: 5000, timeoutMs: 7500 }]);
    expect([1, 5, 9, 10, 600].map(drainTimes)).toEqual([
      { chooseMs: 250, lingerMs: 0 },
      { chooseMs: 1250, lingerMs: 0 },
      { chooseMs: 2000, lingerMs: 0 },
      { chooseMs: 2000, lingerMs: 5000 },
      { chooseMs: 2000, lingerMs: 5000 },
    ]);
  });

  it('is not for pods that nobody would choose, or that have no time', async () => {
    const t = setUp();
    await t.start(pod(), 0).done;
    await t.start(pod(), 30, false).done;
    await t.start(pod({ isStatic: true }), 30).done;
    await t.start(pod({ podIP: undefined as never }), 30).done;
    expect(t.asked).toEqual([]);
  });

  it('waits a fixed short time when no server can be asked', async () => {
    const t = setUp({ answer: async () => undefined });
    const long = t.start(pod(), 30);
    const short = t.start(pod(), 1);
    await t.clock.advance(240);
    expect([long.state.done, short.state.done]).toEqual([false, false]);
    await t.clock.advance(20);
    expect([long.state.done, short.state.done]).toEqual([false, true]);
    await t.clock.advance(50);
    expect(long.state.done).toBe(true);
  });

  it('does not wait for what no Service selects', async () => {
    const t = setUp({ answer: async () => undefined, services: [{ ...web, spec: { selector: { app: 'other' } } }] });
    await t.start(pod(), 30).done;
  });

  it('ends with the containers', async () => {
    const t = setUp({ answer: () => new Promise(() => undefined) });
    const started = t.start(pod(), 30);
    started.stop.abort();
    await started.done;
  });
});
