import type { Client } from '@skiff/client';
import { systemClock, type Clock } from '@skiff/component-base';
import { expect, it } from 'vitest';
import { untilToldInUse } from './driver-facts.ts';

it('untilToldInUse waits for the status of the node, and not for ever', async () => {
  let nowMs = 0;
  let slept = 0;
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      slept += 1;
      nowMs += ms;
    },
  };
  const client = { get: async () => ({ status: { volumesInUse: slept < 3 ? ['other'] : ['other', 'v'] } }) } as unknown as Client;
  const o = { nodeName: 'n', client, clock, signal: new AbortController().signal };
  await untilToldInUse('v', o);
  expect(slept).toBe(3);
  await expect(untilToldInUse('w', o)).rejects.toThrow('not in the status of node "n"');
});
