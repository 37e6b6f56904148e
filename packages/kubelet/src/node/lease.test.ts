import type { Lease } from '@skiff/api';
import { conflict, notFound } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { renewNodeLease } from './lease.ts';

const resource = { group: 'coordination.k8s.io', resource: 'leases' };

/** One Lease, as far as the kubelet's client goes. */
function world() {
  const state: { lease?: Lease; uid?: string; renewals: number } = { renewals: 0 };
  const store = (lease: Lease): Lease => {
    state.renewals += 1;
    state.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(state.renewals) } };
    return state.lease;
  };
  const client = {
    get: async () => {
      if (state.lease === undefined) throw notFound(resource, 'n');
      return state.lease;
    },
    create: async (_r: unknown, lease: Lease) => store(lease),
    update: async (_r: unknown, lease: Lease) => {
      if (state.lease === undefined) throw notFound(resource, 'n');
      if (state.lease.metadata?.resourceVersion !== lease.metadata?.resourceVersion) throw conflict(resource, 'n', 'changed');
      return store(lease);
    },
  };
  const clock = new FakeClock();
  const abort = new AbortController();
  const running = renewNodeLease(
    { nodeName: 'n', nodeUid: () => state.uid, durationSeconds: 40, renewIntervalMs: 10_000, renewed: () => undefined },
    { client: client as unknown as Client, clock, log: silentLogger },
    abort.signal,
  );
  return {
    state,
    clock,
    [Symbol.asyncDispose]: async () => {
      abort.abort(new Error('the test is over'));
      await running;
    },
  };
}

describe('renewNodeLease', () => {
  it('makes a Lease that belongs to the Node, and none without it', async () => {
    await using w = world();
    await w.clock.advance(30_000);
    expect(w.state.lease).toBeUndefined();
    w.state.uid = 'u1';
    await w.clock.advance(11_000);
    expect(w.state.lease?.metadata?.ownerReferences).toEqual([{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u1' }]);
    expect(w.state.lease?.spec).toMatchObject({ holderIdentity: 'n', leaseDurationSeconds: 40 });
  });

  it('renews in time, and goes on after others wrote or removed it', async () => {
    await using w = world();
    w.state.uid = 'u1';
    // Each wait is up to 4 % longer, so that nodes spread.
    await w.clock.advance(104_000);
    expect(w.state.renewals).toBeGreaterThanOrEqual(10);
    expect(w.state.renewals).toBeLessThanOrEqual(11);
    w.state.lease = { ...w.state.lease, metadata: { ...w.state.lease?.metadata, resourceVersion: 'x' } };
    const before = w.state.renewals;
    await w.clock.advance(11_000);
    expect(w.state.renewals).toBe(before + 1);
    delete w.state.lease;
    w.state.uid = 'u2';
    await w.clock.advance(11_000);
    const { lease: made } = w.state as { lease?: Lease };
    expect(made?.metadata?.ownerReferences?.[0]?.uid).toBe('u2');
  });
});
