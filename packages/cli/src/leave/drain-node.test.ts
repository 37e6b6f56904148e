import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { apiRequest } from '../cluster/api-request.ts';
import { drainNode } from './drain-node.ts';

const access = { servers: ['https://127.0.0.1:1'], ca: undefined };
const order = { nodeName: 'h3', isRunning: true, timeoutMs: 60_000, force: false };
const web = { metadata: { name: 'web', namespace: 'n', uid: 'u', ownerReferences: [{ kind: 'ReplicaSet', controller: true }] } };

/** A cluster with one pod on the node. Calls come out as told, one after the other, and then well; 0: no answer. */
function cluster(o: { nodes?: readonly number[]; lists?: readonly number[]; evictions?: readonly number[] }): {
  call: typeof apiRequest;
  asked: string[];
} {
  const codes = { nodes: [...(o.nodes ?? [])], lists: [...(o.lists ?? [])], evictions: [...(o.evictions ?? [])] };
  const asked: string[] = [];
  let pods: readonly unknown[] = [web];
  const answer = (code: number, body: unknown): ReturnType<typeof apiRequest> => {
    if (code === 0) return Promise.reject(new Error('no answer'));
    const text = JSON.stringify(code < 300 ? body : { message: `status ${code}` });
    return Promise.resolve({ code, body: text, server: '', serverTimeMs: 0, localAddress: '' });
  };
  return {
    asked,
    call: (_access, { path, method = 'GET' }) => {
      if (path.startsWith('/api/v1/nodes/')) {
        asked.push(method === 'PUT' ? 'cordon' : 'look');
        return answer(codes.nodes.shift() ?? 200, {});
      }
      asked.push(method === 'POST' ? 'evict' : 'list');
      if (method !== 'POST') return answer(codes.lists.shift() ?? 200, { items: pods });
      const code = codes.evictions.shift() ?? 201;
      if (code > 0 && code < 300) pods = [];
      return answer(code, {});
    },
  };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('goes on when servers are silent or in trouble for a moment', async () => {
  const { call, asked } = cluster({ lists: [200, 0, 504], evictions: [0, 504, 429] });
  const drained = drainNode(access, order, () => undefined, call);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await drained).toBe(1);
  expect(asked.filter((a) => a === 'evict')).toHaveLength(4);
});

it('begins although the first answers are none', async () => {
  const { call, asked } = cluster({ nodes: [503, 0, 200, 0, 500], lists: [0, 429] });
  const drained = drainNode(access, order, () => undefined, call);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await drained).toBe(1);
  expect(asked.slice(0, 9)).toEqual(['look', 'look', 'look', 'cordon', 'cordon', 'cordon', 'list', 'list', 'list']);
});

it.each([
  { timeoutMs: 60_000, force: false, withinMs: 31_000 },
  { timeoutMs: 60_000, force: true, withinMs: 11_000 },
  { timeoutMs: 5_000, force: false, withinMs: 6_000 },
])('does not wait long for a control plane that is away: %j', async ({ withinMs, ...o }) => {
  const { call } = cluster({ nodes: Array.from({ length: 99 }, () => 0) });
  const begunMs = Date.now();
  const drained = drainNode(access, { ...order, ...o }, () => undefined, call).catch((error: unknown) => ({
    error,
    tookMs: Date.now() - begunMs,
  }));
  await vi.advanceTimersByTimeAsync(70_000);
  const outcome = await drained;
  expect(outcome).toMatchObject({ error: { message: 'no answer' } });
  expect((outcome as { tookMs: number }).tookMs).toBeLessThanOrEqual(withinMs);
});

it('tells at once what is refused, and at the end what stood in the way', async () => {
  await expect(drainNode(access, order, () => undefined, cluster({ evictions: [403] }).call)).rejects.toThrow('status 403');
  const refused = drainNode(access, order, () => undefined, cluster({ lists: [200, 403] }).call);
  const late = drainNode(access, order, () => undefined, cluster({ evictions: Array.from({ length: 99 }, () => 0) }).call);
  const outcomes = Promise.all([
    expect(refused).rejects.toThrow('status 403'),
    expect(late).rejects.toThrow(/still on the node after 60 s:\n {2}n\/web: no answer/),
  ]);
  await vi.advanceTimersByTimeAsync(70_000);
  await outcomes;
});

it('is not late by the number of pods when servers take connections and say nothing', async () => {
  const items = Array.from({ length: 30 }, (_, i) => ({ metadata: { ...web.metadata, name: `web-${i}`, uid: `u${i}` } }));
  const well = { code: 200, body: JSON.stringify({ items }), server: '', serverTimeMs: 0, localAddress: '' };
  let listed = false;
  const call: typeof apiRequest = async (_access, { path, timeoutMs = 15_000 }) => {
    if (path.startsWith('/api/v1/nodes/')) return { ...well, body: '{}' };
    if (path.startsWith('/api/v1/pods') && !listed) {
      listed = true;
      return well;
    }
    await new Promise((r) => setTimeout(r, timeoutMs));
    throw new Error('no answer');
  };
  const begun = Date.now();
  const drained = drainNode(access, { ...order, timeoutMs: 10_000, force: true }, () => undefined, call).then((count) => ({
    count,
    tookMs: Date.now() - begun,
  }));
  await vi.advanceTimersByTimeAsync(600_000);
  const { count, tookMs } = await drained;
  expect(count).toBe(30);
  expect(tookMs).toBeLessThan(25_000);
});
