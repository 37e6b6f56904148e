import { silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { createFakeNode, fakePod, snapshot } from '../pod/pod-context.fixture.ts';
import type { PodWorker } from '../pod/pod-worker.ts';
import { parseAnnouncement, parseMicros } from './logind.ts';
import { createNodeShutdown } from './node-shutdown.ts';
import { planGrace, planShutdown } from './shutdown-plan.ts';

describe('planGrace', () => {
  it('takes the short form and the long one', () => {
    expect(planGrace({ totalMs: 30_000, criticalMs: 10_000, byPriority: [] })).toEqual([
      { priority: 0, seconds: 20 },
      { priority: 2_000_000_000, seconds: 10 },
    ]);
    expect(
      planGrace({
        totalMs: 0,
        criticalMs: 0,
        byPriority: [
          { priority: 9, seconds: 1 },
          { priority: 1, seconds: 2 },
        ],
      })[0]?.priority,
    ).toBe(1);
    expect(planGrace({ totalMs: 0, criticalMs: 0, byPriority: [] })).toEqual([]);
    expect(() => planGrace({ totalMs: 1, criticalMs: 2, byPriority: [] })).toThrow('must be at most');
    expect(() => planGrace({ totalMs: 1, criticalMs: 0, byPriority: [{ priority: 0, seconds: 1 }] })).toThrow('can not be combined');
  });
  it('groups pods; what is below the lowest entry goes with it', () => {
    const of = (priority: number) => ({ pod: snapshot(fakePod({ priority })) });
    const groups = planShutdown(
      [of(-5), of(0), of(100), of(5000)],
      [
        { priority: 0, seconds: 3 },
        { priority: 100, seconds: 2 },
      ],
    );
    expect(groups.map((g) => g.workers.map((w) => w.pod.spec.priority))).toEqual([
      [-5, 0],
      [100, 5000],
    ]);
  });
});

it('what logind says is understood', () => {
  expect(parseMicros('t 5000000\n')).toBe(5_000_000);
  expect(parseMicros('s "x"')).toBeUndefined();
  expect(parseAnnouncement('{"type":"signal","member":"PrepareForShutdown","payload":{"type":"b","data":[true]}}')).toBe(true);
  expect(parseAnnouncement('{"member":"PrepareForShutdown","payload":{"type":"b","data":[false]}}')).toBe(false);
  expect(parseAnnouncement('{"member":"SessionNew"}')).toBeUndefined();
  expect(parseAnnouncement('Monitoring bus message stream.')).toBeUndefined();
});

it('pods end in order, as Failed, before the machine may go', async () => {
  await using node = createFakeNode({ programs: { 'ignore-term': (p) => p.onSignal(() => undefined) } });
  const workers: PodWorker[] = [];
  for (const [name, priority, command] of [
    ['plain', 0, ['pause']],
    ['stubborn', 0, ['ignore-term']],
    ['critical', 2_000_000_000, ['pause']],
  ] as const)
    workers.push(
      node.start(fakePod({ priority, containers: [{ name: 'c', image: 'fake:1', command: [...command] }] }, { name, uid: name })),
    );
  await node.settle();
  let released = false;
  const stop = new AbortController();
  const shutdown = createNodeShutdown(
    { graces: planGrace({ totalMs: 15_000, criticalMs: 5000, byPriority: [] }) },
    {
      source: {
        announcements: async function* () {
          yield { goingDown: true, release: () => (released = true) };
        },
      },
      workers: () => workers,
      onChange: () => undefined,
      clock: node.clock,
      log: silentLogger,
    },
  );
  const running = shutdown.run(stop.signal);
  await node.settle();
  expect(shutdown.inProgress).toBe(true);
  expect(node.status('plain')).toMatchObject({
    phase: 'Failed',
    reason: 'Terminated',
    message: 'Pod was terminated in response to imminent node shutdown.',
  });
  expect([node.status('stubborn')?.phase, node.status('critical')?.phase, released]).toEqual(['Running', 'Running', false]);
  await node.settle(10_500);
  await running;
  expect([node.status('stubborn')?.phase, node.status('critical')?.phase, released]).toEqual(['Failed', 'Failed', true]);
  stop.abort();
});
