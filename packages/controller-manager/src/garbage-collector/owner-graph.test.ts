import type { ObjectMeta, OwnerReference, ResourceRef } from '@skiff/apimachinery';
import { beforeEach, describe, expect, it } from 'vitest';
import { blockingDependents, OwnerGraph } from './owner-graph.ts';

const sets: ResourceRef = { group: 'apps', version: 'v1', kind: 'ReplicaSet', plural: 'replicasets', scope: 'Namespaced' };
const pods: ResourceRef = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', scope: 'Namespaced' };
const owner = (name: string, o: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  name,
  uid: name,
  ...o,
});
const meta = (name: string, o: ObjectMeta = {}): ObjectMeta => ({ namespace: 'ns', name, uid: name, ...o });

let queued: string[] = [];
const graph = (): OwnerGraph =>
  new OwnerGraph({ attemptToDelete: (uid) => queued.push(`delete ${uid}`), attemptToOrphan: (uid) => queued.push(`orphan ${uid}`) });
const flush = (): string[] => queued.splice(0);

describe('OwnerGraph', () => {
  beforeEach(() => {
    queued = [];
  });

  it('queues dependents when their owner is gone', () => {
    const g = graph();
    g.observe(sets, meta('rs'));
    g.observe(pods, meta('a', { ownerReferences: [owner('rs')] }));
    g.observe(pods, meta('b', { ownerReferences: [owner('rs')] }));
    expect(flush()).toEqual([]);
    g.forget('rs');
    expect(flush()).toEqual(['delete a', 'delete b']);
  });

  it('has owners that were never seen looked for, unless they come', () => {
    const g = graph();
    g.observe(pods, meta('a', { ownerReferences: [owner('rs')] }));
    expect(flush()).toEqual(['delete rs']);
    expect(g.get('rs')?.virtual).toBe(true);
    g.observe(sets, meta('rs'));
    expect(flush()).toEqual([]);
    expect(g.get('rs')?.virtual).toBe(false);
    g.forget('rs');
    expect(flush()).toEqual(['delete a']);
  });

  it('queues dependents that name an owner of another namespace', () => {
    const g = graph();
    g.observe(sets, meta('rs'));
    g.observe(pods, meta('a', { namespace: 'other', ownerReferences: [owner('rs')] }));
    expect(flush()).toEqual(['delete a']);
    g.observe(pods, meta('b', { namespace: 'other', ownerReferences: [owner('later')] }));
    flush();
    g.observe(sets, meta('later'));
    expect(flush()).toEqual(['delete b']);
  });

  it('starts foreground deletion with the dependents that block', () => {
    const g = graph();
    g.observe(sets, meta('rs'));
    g.observe(pods, meta('a', { ownerReferences: [owner('rs', { blockOwnerDeletion: true })] }));
    g.observe(pods, meta('b', { ownerReferences: [owner('rs')] }));
    g.observe(sets, meta('rs', { deletionTimestamp: 'now', finalizers: ['foregroundDeletion'] }));
    expect(flush()).toEqual(['delete a', 'delete rs']);
    const node = g.get('rs');
    expect(node === undefined ? [] : blockingDependents(node).map((n) => n.uid)).toEqual(['a']);
    g.observe(sets, meta('rs', { deletionTimestamp: 'now', finalizers: ['foregroundDeletion'], labels: { x: 'y' } }));
    expect(flush()).toEqual([]);
    g.forget('a');
    expect(flush()).toEqual(['delete rs']);
  });

  it('looks at a waiting owner when a dependent stops blocking it', () => {
    const g = graph();
    g.observe(sets, meta('rs', { deletionTimestamp: 'now', finalizers: ['foregroundDeletion'] }));
    g.observe(pods, meta('a', { ownerReferences: [owner('rs', { blockOwnerDeletion: true })] }));
    flush();
    g.observe(pods, meta('a', { ownerReferences: [owner('rs')] }));
    expect(flush()).toEqual(['delete rs']);
    g.observe(pods, meta('a'));
    expect(g.get('rs')?.dependents.size).toBe(0);
  });

  it('orphans once', () => {
    const g = graph();
    g.observe(sets, meta('rs', { deletionTimestamp: 'now', finalizers: ['orphan'] }));
    g.observe(sets, meta('rs', { deletionTimestamp: 'now', finalizers: ['orphan'], labels: {} }));
    expect(flush()).toEqual(['orphan rs']);
  });

  it('forgets virtual owners with their last dependent', () => {
    const g = graph();
    g.observe(pods, meta('a', { ownerReferences: [owner('rs')] }));
    g.forget('a');
    expect(g.size).toBe(0);
  });
});
