import type { CSINode, PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeAttachment } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { CycleContext } from '../framework/cycle-context.ts';
import { cluster, node, podInfo, type PodParts } from '../framework/test-objects.ts';
import { createNodeVolumeLimits } from './node-volume-limits.ts';

const driver = 'd.example.com';
const lister = <T extends { readonly metadata?: { readonly name?: string } }>(items: readonly T[]) => ({
  get: ({ name }: { readonly name: string }) => items.find((i) => i.metadata?.name === name) as never,
  list: () => items as never,
  byIndex: () => [],
});
const bound = (name: string): readonly [PersistentVolumeClaim, PersistentVolume] => [
  { metadata: { namespace: 'default', name }, spec: { volumeName: `pv-${name}` } },
  { metadata: { name: `pv-${name}` }, spec: { csi: { driver, volumeHandle: name } } },
];
const user = (...claims: string[]): PodParts => ({
  spec: { volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })) },
});

function judge(
  wanted: PodParts,
  o: { limit?: number; others?: readonly PodParts[]; attached?: readonly string[]; drivers?: readonly string[] },
): string {
  const pairs = ['a', 'b', 'c'].map(bound);
  const unbound: PersistentVolumeClaim = { metadata: { namespace: 'default', name: 'new' }, spec: { storageClassName: 'sc' } };
  const csiNode: CSINode = {
    metadata: { name: 'n' },
    spec: {
      drivers: (o.drivers ?? [driver]).map((name) => ({
        name,
        nodeID: 'n',
        ...(o.limit !== undefined && { allocatable: { count: o.limit } }),
      })),
    },
  };
  const storageClass: StorageClass = { metadata: { name: 'sc' }, provisioner: driver };
  const attachments = (o.attached ?? []).map(
    (name): VolumeAttachment => ({
      metadata: { name },
      spec: { attacher: driver, nodeName: 'n', source: { persistentVolumeName: `pv-${name}` } },
    }),
  );
  const plugin = createNodeVolumeLimits({
    claims: lister([...pairs.map(([claim]) => claim), unbound]),
    volumes: lister(pairs.map(([, volume]) => volume)),
    classes: lister([storageClass]),
    csiNodes: lister([csiNode]),
    attachments: lister(attachments),
  });
  const state = cluster([node('n')], { n: (o.others ?? []).map(podInfo) });
  const context = new CycleContext(state);
  const pod = podInfo(wanted);
  const before = plugin.preFilter?.(pod, context);
  if (before !== undefined && 'code' in before && before.code !== 'ok') return before.code;
  const [only] = state.nodes;
  return only === undefined ? 'no node' : (plugin.filter?.(pod, only, context).code ?? 'no filter');
}

describe('NodeVolumeLimits', () => {
  it.each([
    ['a pod without such volumes', judge({}, { limit: 0 }), 'skip'],
    ['no limit', judge(user('a', 'b'), {}), 'ok'],
    ['a limit of another driver', judge(user('a', 'b'), { limit: 1, drivers: ['other'] }), 'ok'],
    ['as many as there may be', judge(user('a'), { limit: 2, others: [user('b')] }), 'ok'],
    ['one more', judge(user('a'), { limit: 1, others: [user('b')] }), 'unschedulable'],
    ['one that is there already', judge(user('b'), { limit: 1, others: [user('b')] }), 'ok'],
    ['one that is still attached', judge(user('a'), { limit: 1, attached: ['b'] }), 'unschedulable'],
    ['its own that is still attached', judge(user('a'), { limit: 1, attached: ['a'] }), 'ok'],
    ['one that is yet to be made', judge(user('new'), { limit: 1, others: [user('b')] }), 'unschedulable'],
    ['inline volumes', judge({ spec: { volumes: [{ name: 'x', csi: { driver } }] } }, { limit: 0 }), 'unschedulable'],
  ])('%s', (_, found, expected) => expect(found).toBe(expected));
});
