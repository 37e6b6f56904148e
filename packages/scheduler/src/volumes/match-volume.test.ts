import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { cluster, node } from '../framework/test-objects.ts';
import { canProvision, findVolume, hasRoom } from './match-volume.ts';

const here = cluster([node('n', { labels: { zone: 'a' } })]).node('n');
if (here === undefined) throw new Error('no node');

const volume = (
  name: string,
  storage: string,
  spec: Partial<PersistentVolume['spec'] & object> = {},
  phase = 'Available',
): PersistentVolume =>
  ({
    metadata: { name },
    spec: { capacity: { storage }, accessModes: ['ReadWriteOnce'], storageClassName: 'local', ...spec },
    status: { phase },
  }) as PersistentVolume;
const claim = (storage: string, spec: Partial<PersistentVolumeClaim['spec'] & object> = {}): PersistentVolumeClaim => ({
  metadata: { namespace: 'ns', name: 'claim', uid: 'uid' },
  spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'local', resources: { requests: { storage } }, ...spec },
});
const only = (key: string, value: string) => ({
  required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values: [value] }] }] },
});

describe('findVolume', () => {
  it.each([
    ['the smallest that is large enough', claim('2Gi'), [volume('small', '1Gi'), volume('large', '9Gi'), volume('right', '3Gi')], 'right'],
    [
      'of its class',
      claim('1Gi', { storageClassName: 'fast' }),
      [volume('a', '1Gi'), volume('b', '1Gi', { storageClassName: 'fast' })],
      'b',
    ],
    ['with all access modes', claim('1Gi', { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] }), [volume('a', '1Gi')], undefined],
    ['of its mode', claim('1Gi', { volumeMode: 'Block' }), [volume('a', '1Gi'), volume('b', '1Gi', { volumeMode: 'Block' })], 'b'],
    [
      'that can be used on the node',
      claim('1Gi'),
      [volume('a', '1Gi', { nodeAffinity: only('zone', 'b') }), volume('b', '1Gi', { nodeAffinity: only('zone', 'a') })],
      'b',
    ],
    [
      'that is free',
      claim('1Gi'),
      [volume('a', '1Gi', {}, 'Released'), volume('b', '1Gi', { claimRef: { namespace: 'ns', name: 'other' } })],
      undefined,
    ],
    [
      'set aside for it before any other',
      claim('1Gi'),
      [volume('a', '1Gi'), volume('b', '9Gi', { claimRef: { namespace: 'ns', name: 'claim' } })],
      'b',
    ],
    [
      'but not for an earlier claim of its name',
      claim('1Gi'),
      [volume('b', '9Gi', { claimRef: { namespace: 'ns', name: 'claim', uid: 'old' } })],
      undefined,
    ],
  ])('%s', (_, wanted, volumes, expected) => expect(findVolume(wanted, here, volumes)?.metadata?.name).toBe(expected));
});

describe('canProvision', () => {
  const zones = (...values: string[]): Partial<StorageClass> => ({
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values }] }],
  });
  it.each([
    [undefined, false],
    [{ provisioner: 'kubernetes.io/no-provisioner' }, false],
    [{ provisioner: 'example.com/x' }, true],
    [{ provisioner: 'example.com/x', ...zones('b', 'a') }, true],
    [{ provisioner: 'example.com/x', ...zones('b') }, false],
  ] as [StorageClass | undefined, boolean][])('%o', (storageClass, expected) => expect(canProvision(storageClass, here)).toBe(expected));
});

describe('hasRoom', () => {
  const lister = <T extends { readonly metadata?: { readonly name?: string } }>(...items: T[]) => ({
    get: ({ name }: { name: string }) => items.find((i) => i.metadata?.name === name) as never,
    list: () => items as never,
    byIndex: () => [],
  });
  const storageClass: StorageClass = { metadata: { name: 'sc' }, provisioner: 'd' };
  const room = (zone: string, sizes: object) => ({
    metadata: { name: zone },
    storageClassName: 'sc',
    nodeTopology: { matchLabels: { zone } },
    ...sizes,
  });
  const check = (storageCapacity: boolean, ...capacities: object[]): boolean =>
    hasRoom(claim('2Gi'), storageClass, here, {
      drivers: lister({ metadata: { name: 'd' }, spec: { storageCapacity } }),
      capacities: lister(...(capacities as { metadata: object }[])),
    });
  it.each([
    ['a driver that does not tell', check(false), true],
    ['one that tells of nothing', check(true), false],
    ['enough', check(true, room('a', { capacity: '3Gi' })), true],
    ['enough elsewhere', check(true, room('b', { capacity: '3Gi' })), false],
    ['too little', check(true, room('a', { capacity: '1Gi' })), false],
    ['enough, but not in one volume', check(true, room('a', { capacity: '9Gi', maximumVolumeSize: '1Gi' })), false],
    ['in all of the cluster', check(true, { ...room('a', { capacity: '3Gi' }), nodeTopology: {} }), true],
  ])('%s', (_, found, expected) => expect(found).toBe(expected));
});
