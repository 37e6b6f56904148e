import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { apiRequest, judgeNode, type NodeFacts } from './api-request.ts';

it('what is left of a time to wait is rarely a whole number of milliseconds', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const server = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  try {
    await expect(apiRequest({ servers: [server], ca: undefined }, { path: '/', timeoutMs: 20.25 })).rejects.toThrow(/^no answer within/);
  } finally {
    silent.close();
  }
});

const node = (o: { status?: string; at?: string; taints?: readonly string[] } = {}): NodeFacts => ({
  spec: { taints: (o.taints ?? []).map((key) => ({ key, effect: 'NoSchedule' })) },
  status: {
    conditions: [{ type: 'Ready', status: o.status ?? 'True', message: 'as it says', lastHeartbeatTime: o.at ?? '2026-01-01T00:00:10Z' }],
  },
});
const sinceMs = Date.parse('2026-01-01T00:00:10.700Z');

it.each([
  ['a node that says so is Ready', node(), {}, true, 'as it says'],
  ['one that says it is not', node({ status: 'False' }), {}, false, 'as it says'],
  ['one that never said anything', {}, {}, false, 'no Ready condition yet'],
  ['a word of the same second counts', node(), { sinceMs }, true, 'as it says'],
  ['a word of before the start does not', node({ at: '2026-01-01T00:00:09Z' }), { sinceMs }, false, 'has not reported yet'],
  [
    'but another word than at the first look does, by a clock that was set back',
    node({ at: '2026-01-01T00:00:05Z' }),
    { sinceMs, notHeartbeat: '2026-01-01T00:00:03Z' },
    true,
    'as it says',
  ],
  [
    'and the same one does not',
    node({ at: '2026-01-01T00:00:05Z' }),
    { sinceMs, notHeartbeat: '2026-01-01T00:00:05Z' },
    false,
    'has not reported yet',
  ],
  ['taints of before are for pods', node({ taints: ['node.kubernetes.io/not-ready'] }), {}, true, 'as it says'],
  [
    'and keep them away',
    node({ taints: ['node.kubernetes.io/unreachable'] }),
    { forPods: true },
    false,
    'taint node.kubernetes.io/unreachable:NoSchedule',
  ],
  ['other taints are meant', node({ taints: ['node.kubernetes.io/unschedulable', 'mine'] }), { forPods: true }, true, 'as it says'],
])('%s', (_what, facts, order, ready, why) => {
  const judged = judgeNode(facts, order);
  expect(judged.ready).toBe(ready);
  expect(judged.why).toContain(why);
});
