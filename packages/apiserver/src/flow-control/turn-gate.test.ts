import { systemClock } from '@skiff/component-base';
import { expect, it } from 'vitest';
import { parseRequestInfo } from '../request/request-info.ts';
import { FlowStatistics } from './flow-statistics.ts';
import { type FlowRequest, QueueSet } from './queue-set.ts';
import { TurnGate } from './turn-gate.ts';
import { oneSeat } from './work-estimate.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const info = parseRequestInfo('GET', '/api/v1/pods', new URLSearchParams());

function setUp(levels: number) {
  let nowMs = 1;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const gate = new TurnGate(clock);
  const began: string[] = [];
  const statistics = new FlowStatistics();
  const sets = Array.from({ length: levels }, () => {
    const set = new QueueSet({ queues: 4, queueLengthLimit: 1000 }, { clock, gate });
    set.configure({ queues: 4, queueLengthLimit: 1000 }, 1000);
    return set;
  });
  /** A request whose work takes 3 ms. */
  const start = (level: number, flow: string, queue: number): FlowRequest => {
    const subject = { schema: 's', distinguisher: flow, user: { name: flow, groups: [] }, info, statistics };
    const request = sets[level]?.start(subject, oneSeat, [queue]);
    if (request === undefined) throw new Error('refused');
    const work = (): void => {
      nowMs += 3;
      began.push(flow);
    };
    request.started = work;
    if (request.startedMs > 0) work();
    return request;
  };
  return { start, began, sets, spend: (ms: number) => void (nowMs += ms) };
}

it('lets no more begin in one turn than there is time for, and whoever comes then has his turn early', async () => {
  const { start, began } = setUp(1);
  for (let i = 0; i < 50; i++) start(0, 'flood', 0);
  expect(began.length).toBe(2);
  start(0, 'calm', 1);
  for (let turns = 0; turns < 3; turns++) await turn();
  expect(began.length).toBeGreaterThan(2);
  expect(began.length).toBeLessThan(15);
  expect(began).toContain('calm');
});

it('serves priority levels alike, whatever number wait at each', async () => {
  const { start, began, spend } = setUp(2);
  start(0, 'flood', 0);
  spend(10);
  for (let i = 0; i < 50; i++) start(0, 'flood', 0);
  for (let i = 0; i < 4; i++) start(1, 'other', 0);
  for (let turns = 0; turns < 10; turns++) await turn();
  expect(began.filter((b) => b === 'other').length).toBe(4);
  expect(began.indexOf('other')).toBeLessThan(4);
});

it('lets those who have begun go on in turns too', async () => {
  const { start, sets, spend, began } = setUp(1);
  const flood = Array.from({ length: 2 }, () => start(0, 'flood', 0));
  spend(10);
  const calm = start(0, 'calm', 1);
  const order: string[] = [];
  const go = (r: FlowRequest, name: string): void => {
    void sets[0]?.pause(r)?.then(() => {
      spend(3);
      order.push(name);
    });
  };
  for (let i = 0; i < 20; i++) go(flood[0] as FlowRequest, 'flood');
  go(calm, 'calm');
  for (let turns = 0; turns < 6; turns++) await turn();
  expect(began).toContain('calm');
  expect(order.indexOf('calm')).toBeGreaterThanOrEqual(0);
  expect(order.indexOf('calm')).toBeLessThan(3);
});
