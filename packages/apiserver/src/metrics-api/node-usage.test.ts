import { EventEmitter } from 'node:events';
import type { ClientRequest } from 'node:http';
import { Readable } from 'node:stream';
import { FakeClock } from '@skiff/component-base';
import { expect, it } from 'vitest';
import type { KubeletClient } from '../connect/kubelet-client.ts';
import { createNodeUsages, type Usage } from './node-usage.ts';

/** Kubelets that answer each request with what `say` returns. */
const kubeletsSaying = (say: () => string): KubeletClient =>
  ({
    addressOf: () => ({ host: '10.0.0.1', port: 10250 }),
    open: async () => {
      const request = new EventEmitter();
      const end = (): void =>
        queueMicrotask(() => void request.emit('response', Object.assign(Readable.from([Buffer.from(say())]), { statusCode: 200 })));
      return Object.assign(request, { end }) as unknown as ClientRequest;
    },
  }) satisfies Partial<KubeletClient> as unknown as KubeletClient;

it('keeps what a node said for ten seconds, and asks it anew where that is not enough, at most once a second', async () => {
  const clock = new FakeClock();
  let asked = 0;
  const kubelets = kubeletsSaying(() => {
    asked += 1;
    return JSON.stringify({ node: { cpu: { usageCoreNanoSeconds: asked } } });
  });
  const usages = createNodeUsages({ kubelets, clock });
  const ask = async (enough?: (name: string, usage: Usage) => boolean): Promise<Usage | undefined> => {
    let over = false;
    const asking = usages.of([{ metadata: { name: 'n1' } }], new AbortController().signal, enough).finally(() => {
      over = true;
    });
    while (!over) await clock.advance(100);
    return (await asking).get('n1');
  };
  const first = await ask();
  expect([asked, first?.before.node.cpuNanos, first?.after.node.cpuNanos]).toEqual([2, 1, 2]);
  expect(await ask(() => false)).toBe(first);
  await clock.advance(1000);
  expect(await ask(() => true)).toBe(first);
  const second = await ask((name, usage) => {
    expect([name, usage]).toEqual(['n1', first]);
    return false;
  });
  expect([asked, second?.before, second?.after.node.cpuNanos]).toEqual([3, first?.after, 3]);
  await clock.advance(10_000);
  expect([(await ask())?.before, asked]).toEqual([second?.after, 4]);
});
