import { mandatoryPriorityLevels, suggestedFlowSchemas, suggestedPriorityLevels, mandatoryFlowSchemas } from '@skiff/api';
import { FakeClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import type { UserInfo } from '../contract.ts';
import { parseRequestInfo } from '../request/request-info.ts';
import { allocateSeats } from './allocate-seats.ts';
import { adjustSeats } from './borrowing.ts';
import { classify, digest } from './flow-schemas.ts';
import { FlowStatistics } from './flow-statistics.ts';
import { applyLimits } from './priority-level.ts';
import { type FlowRequest, QueueSet } from './queue-set.ts';
import { RetryAfter } from './retry-after.ts';
import { SeatDemand } from './seat-demand.ts';
import { dealHand } from './shuffle-shard.ts';
import { TurnGate } from './turn-gate.ts';
import { WatchCounts } from './watch-counts.ts';
import { estimateWork, oneSeat } from './work-estimate.ts';

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups: [...groups, 'system:authenticated'] });
const info = (method: string, path: string) => parseRequestInfo(method, path, new URLSearchParams());
const setting = (clock = new FakeClock()) => ({ clock, gate: new TurnGate(clock) });
const levels = [...suggestedPriorityLevels, ...mandatoryPriorityLevels];
const schemas = [...suggestedFlowSchemas, ...mandatoryFlowSchemas];

describe('classification by the suggested objects', () => {
  const configuration = digest({ levels, schemas }, undefined, { serverSeats: 600, ...setting() });
  it.each([
    [user('kubernetes-admin', 'system:masters'), 'DELETE', '/api/v1/namespaces/a/pods/b', 'exempt', 'exempt'],
    [{ name: 'system:anonymous', groups: ['system:unauthenticated'] }, 'GET', '/livez', 'probes', 'exempt'],
    [{ name: 'system:anonymous', groups: ['system:unauthenticated'] }, 'GET', '/livez/ping', 'probes', 'exempt'],
    [{ name: 'system:anonymous', groups: ['system:unauthenticated'] }, 'GET', '/livezz', 'global-default', 'global-default'],
    [
      user('system:kube-scheduler'),
      'PUT',
      '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x',
      'system-leader-election',
      'leader-election',
    ],
    [user('system:kube-scheduler'), 'POST', '/api/v1/namespaces/a/pods/b/binding', 'kube-scheduler', 'workload-high'],
    [user('system:node:a', 'system:nodes'), 'PATCH', '/api/v1/nodes/a/status', 'system-node-high', 'node-high'],
    [user('system:node:a', 'system:nodes'), 'GET', '/api/v1/namespaces/a/pods/b', 'system-nodes', 'system'],
    [
      user('system:serviceaccount:kube-system:x', 'system:serviceaccounts'),
      'GET',
      '/api/v1/pods',
      'kube-system-service-accounts',
      'workload-high',
    ],
    [user('system:serviceaccount:kube-systems:x', 'system:serviceaccounts'), 'GET', '/api/v1/pods', 'service-accounts', 'workload-low'],
    [user('alice'), 'GET', '/api/v1/pods', 'global-default', 'global-default'],
    [{ name: 'nobody', groups: [] }, 'GET', '/api/v1/pods', 'catch-all', 'catch-all'],
  ] as const)('%j %s %s is of %s', (who, method, path, schema, level) => {
    const found = classify(configuration, who, info(method, path));
    expect([found.name, found.level.name]).toEqual([schema, level]);
  });

  it('has seats by shares, as upstream', () => {
    const seats = [...configuration.levels.values()].map((l) => [l.name, l.nominal, l.min, l.max]);
    expect(seats.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))).toEqual([
      ['catch-all', 13, 13, 613],
      ['exempt', 0, 0, 600],
      ['global-default', 49, 24, 649],
      ['leader-election', 25, 25, 625],
      ['node-high', 98, 73, 698],
      ['system', 74, 50, 674],
      ['workload-high', 98, 49, 698],
      ['workload-low', 245, 24, 845],
    ]);
  });
});

describe('digest', () => {
  const clock = new FakeClock();
  it('works without any object', () => {
    const { schemas: found, levels: made } = digest({ levels: [], schemas: [] }, undefined, { serverSeats: 600, ...setting(clock) });
    expect(found.map((s) => s.name)).toEqual(['exempt', 'catch-all']);
    expect(made.get('catch-all')?.nominal).toBe(600);
  });
  it('passes over FlowSchemas without a level, and keeps a level that is gone until it is idle', () => {
    const first = digest({ levels, schemas }, undefined, { serverSeats: 600, ...setting(clock) });
    const level = first.levels.get('global-default');
    level?.queueSet.configure({ queues: 4, queueLengthLimit: 1 }, 10);
    const schema = first.schemas.find((s) => s.name === 'global-default');
    if (schema === undefined || level === undefined) throw new Error('no global-default');
    const subject = { schema: schema.name, distinguisher: '', user: user('a'), info: info('GET', '/'), statistics: schema.statistics };
    const request = level.queueSet.start(subject, oneSeat, [0]);
    const without = { levels: levels.filter((l) => l.metadata?.name !== 'global-default'), schemas };
    const second = digest(without, first, { serverSeats: 600, ...setting(clock) });
    expect([...second.dangling]).toEqual(['global-default']);
    expect(classify(second, user('a'), info('GET', '/api/v1/pods')).name).toBe('catch-all');
    expect(second.levels.get('global-default')?.quiescing).toBe(true);
    level.queueSet.finish(request as FlowRequest);
    expect(digest(without, second, { serverSeats: 600, ...setting(clock) }).levels.has('global-default')).toBe(false);
  });
});

describe('QueueSet', () => {
  const setUp = (queues: number, queueLengthLimit: number, seats: number) => {
    const clock = new FakeClock();
    const set = new QueueSet({ queues, queueLengthLimit }, setting(clock));
    set.configure({ queues, queueLengthLimit }, seats);
    const statistics = new FlowStatistics();
    const served: string[] = [];
    const start = (flow: string, hand: number[], estimate = oneSeat): FlowRequest | undefined => {
      const request = set.start(
        { schema: 's', distinguisher: flow, user: user(flow), info: info('GET', '/x'), statistics },
        estimate,
        hand,
      );
      if (request !== undefined) request.started = () => served.push(flow);
      return request;
    };
    return { clock, set, statistics, served, start };
  };

  it('serves flows in turn, whatever number of requests they have waiting', async () => {
    const { clock, set, served, start } = setUp(8, 100, 1);
    const first = start('flood', [0]) as FlowRequest;
    const waiting = Array.from({ length: 20 }, () => start('flood', [0]) as FlowRequest);
    await clock.advance(1);
    const others = Array.from({ length: 3 }, () => start('other', [1]) as FlowRequest);
    const all = [first, ...waiting, ...others];
    for (let i = 0; i < 6; i++) {
      await clock.advance(2);
      const running = all.find((r) => r.startedMs > 0 && r.queue?.executing.has(r));
      if (running !== undefined) set.finish(running);
    }
    expect(served.filter((f) => f === 'other')).toHaveLength(3);
    expect(served.indexOf('other')).toBeLessThan(2);
  });
  it('refuses what does not fit into a queue any more, and no more than that', () => {
    const { set, statistics, start } = setUp(1, 2, 1);
    expect([start('a', [0]), start('a', [0]), start('a', [0])].every((r) => r !== undefined)).toBe(true);
    expect(start('a', [0])).toBeUndefined();
    expect([set.executing, set.waiting, statistics.rejected]).toEqual([1, 2, { 'queue-full': 1 }]);
  });
  it('gives a cancelled place to the next', () => {
    const { set, statistics, served, start } = setUp(1, 10, 1);
    const running = start('a', [0]) as FlowRequest;
    const impatient = start('b', [0]) as FlowRequest;
    start('c', [0]);
    set.cancel(impatient);
    set.finish(running);
    expect([served, statistics.rejected['time-out'], set.waiting]).toEqual([['c'], 1, 0]);
  });
  it('lets wide requests wait for all their seats, and what is wider than all have it alone', () => {
    const { set, served, start } = setUp(4, 10, 3);
    const one = start('one', [0]) as FlowRequest;
    start('wide', [1], { initialSeats: 3, finalSeats: 0, extraMs: 0 });
    expect(served).toEqual([]);
    set.finish(one);
    expect(served).toEqual(['wide']);
    const { start: startAlone } = setUp(4, 10, 3);
    expect(startAlone('widest', [0], { initialSeats: 50, finalSeats: 0, extraMs: 0 })?.startedMs).toBeGreaterThan(0);
  });
  it('keeps the seats of a write while its watchers are told', async () => {
    const { clock, set, statistics, start } = setUp(4, 10, 10);
    const write = start('w', [0], { initialSeats: 1, finalSeats: 5, extraMs: 20 }) as FlowRequest;
    set.finish(write);
    expect([set.executing, statistics.executingSeats]).toEqual([0, 5]);
    await clock.advance(20);
    expect(statistics.executingSeats).toBe(0);
  });
  it('begins more when it gets more seats', () => {
    const { set, served, start } = setUp(4, 10, 1);
    for (const flow of ['a', 'b', 'c']) start(flow, [0]);
    set.configure({ queues: 4, queueLengthLimit: 10 }, 3);
    expect(served).toEqual(['b', 'c']);
  });
});

describe('borrowing', () => {
  it('moves seats to where they are asked for, and no further than levels lend', async () => {
    const clock = new FakeClock();
    const { levels: all } = digest({ levels, schemas }, undefined, { serverSeats: 600, ...setting(clock) });
    for (const l of all.values()) applyLimits(l);
    adjustSeats(all.values(), clock.monotonicMs());
    const busy = all.get('global-default');
    busy?.queueSet.demand.set(1000, clock.monotonicMs());
    await clock.advance(10_000);
    adjustSeats(all.values(), clock.monotonicMs());
    expect(busy?.current).toBeGreaterThan(300);
    for (const l of all.values()) expect(l.current).toBeGreaterThanOrEqual(l.min);
    expect(all.get('workload-low')?.current).toBe(24);
    expect([...all.values()].reduce((sum, l) => sum + l.current, 0)).toBeLessThanOrEqual(602 + 3);
  });
  it.each([
    [
      10,
      [
        { lower: 0, upper: 100, target: 1 },
        { lower: 0, upper: 100, target: 4 },
      ],
      [2, 8],
    ],
    [
      10,
      [
        { lower: 5, upper: 100, target: 5 },
        { lower: 0, upper: 100, target: 20 },
      ],
      [5, 5],
    ],
    [
      10,
      [
        { lower: 0, upper: 2, target: 5 },
        { lower: 0, upper: 100, target: 5 },
      ],
      [2, 8],
    ],
    [
      3,
      [
        { lower: 1, upper: 1, target: 1 },
        { lower: 2, upper: 9, target: 2 },
      ],
      [1, 2],
    ],
  ])('%i seats for %j', (seats, claims, shares) => {
    const found = allocateSeats(seats, claims);
    expect(found?.shares.map((s) => Math.round(s * 1000) / 1000)).toEqual(shares);
  });
  it('says so when bounds leave no room', () => {
    expect(allocateSeats(1, [{ lower: 2, upper: 3, target: 2 }])).toBeUndefined();
    expect(allocateSeats(9, [{ lower: 2, upper: 3, target: 2 }])).toBeUndefined();
  });
  it('weighs demand by time', () => {
    const demand = new SeatDemand(0);
    demand.set(10, 0);
    demand.set(0, 250);
    expect(demand.reset(1000)).toMatchObject({ average: 2.5, max: 10, durationMs: 1000 });
    expect(demand.reset(2000)).toMatchObject({ average: 0, max: 0, deviation: 0 });
  });
});

describe('estimates', () => {
  const deps = { listExtent: () => ({ objects: 1000, averageBytes: 500 }), watchers: () => 45 };
  it.each([
    ['GET', '/api/v1/pods', '', { initialSeats: 5 }],
    ['GET', '/api/v1/pods', 'limit=100', { initialSeats: 1 }],
    ['GET', '/api/v1/pods', 'watch=true', { initialSeats: 5 }],
    ['GET', '/api/v1/pods', 'watch=true&resourceVersion=5', { initialSeats: 1 }],
    ['GET', '/api/v1/namespaces/a/pods/b', '', { initialSeats: 1 }],
    ['POST', '/api/v1/namespaces/a/pods', '', { initialSeats: 1, finalSeats: 5, extraMs: 5 }],
    ['POST', '/api/v1/namespaces/a/serviceaccounts/b/token', '', { initialSeats: 1, finalSeats: 0 }],
  ])('%s %s?%s', (method, path, query, expected) => {
    const parameters = new URLSearchParams(query);
    expect(estimateWork(parseRequestInfo(method, path, parameters), parameters, Infinity, deps)).toMatchObject(expected);
  });
  it('make long what may not be wide', () => {
    const wide = estimateWork(info('POST', '/api/v1/namespaces/a/pods'), new URLSearchParams(), 2, deps);
    expect(wide).toEqual({ initialSeats: 1, finalSeats: 2, extraMs: 12.5 });
  });
  it('count watches by what they could see', () => {
    const counts = new WatchCounts();
    const watch = (path: string, query: string) => {
      const parameters = new URLSearchParams(`watch=true&${query}`);
      return counts.add(parseRequestInfo('GET', path, parameters));
    };
    watch('/api/v1/pods', '');
    watch('/api/v1/pods', 'fieldSelector=spec.nodeName%3Da');
    const inNamespace = watch('/api/v1/namespaces/a/pods', '');
    watch('/api/v1/namespaces/a/pods', 'fieldSelector=metadata.name%3Db');
    watch('/api/v1/services', '');
    expect(counts.interestedIn(info('PUT', '/api/v1/namespaces/a/pods/b'))).toBe(3);
    expect(counts.interestedIn(info('PUT', '/api/v1/namespaces/a/pods/c'))).toBe(2);
    inNamespace?.[Symbol.dispose]();
    expect(counts.interestedIn(info('PUT', '/api/v1/namespaces/a/pods/c'))).toBe(1);
  });
});

describe('shuffle sharding', () => {
  it('deals different queues, evenly, and the same ones to the same flow', () => {
    const seen = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 2000; i++) {
      const hand = dealHand(`flow ${i}`, 16, 4);
      expect(new Set(hand).size).toBe(4);
      for (const queue of hand) seen[queue] = (seen[queue] ?? 0) + 1;
    }
    for (const n of seen) expect(n).toBeGreaterThan(400);
    expect(dealHand('x', 128, 6)).toEqual(dealHand('x', 128, 6));
  });
});

describe('Retry-After', () => {
  it('grows while many are turned away, and shrinks again', () => {
    const retry = new RetryAfter();
    for (let second = 0; second < 60; second++) for (let i = 0; i < 200; i++) retry.dropped(second * 1000);
    expect(retry.seconds).toBe(32);
    for (let second = 100; second < 180; second += 40) retry.dropped(second * 1000);
    expect(retry.seconds).toBeLessThan(32);
  });
});
