import type { CSIDriver, PersistentVolume, PersistentVolumeClaim } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { isGivenToGroup, renderCapability } from './volume-capability.ts';
import type { CsiNodeService } from './csi-node-service.ts';
import { attachmentName, inlineHandle } from './csi-paths.ts';
import { isToGrow, renderGrown } from './grow-volumes.ts';
import { createKeyedLock } from './keyed-lock.ts';

describe('isGivenToGroup', () => {
  const driver = (fsGroupPolicy?: string): CSIDriver => ({ metadata: {}, spec: fsGroupPolicy === undefined ? {} : { fsGroupPolicy } });
  const many = { fsType: 'ext4', accessModes: ['ReadWriteMany'], readOnly: false };
  const one = { ...many, accessModes: ['ReadWriteOnce'] };
  it.each([
    ['no object, a file system, one node', isGivenToGroup(undefined, one), true],
    ['no object, no type', isGivenToGroup(undefined, { ...one, fsType: '' }), false],
    ['no object, many nodes', isGivenToGroup(undefined, many), false],
    ['by default as without', isGivenToGroup(driver(), one), true],
    ['None', isGivenToGroup(driver('None'), one), false],
    ['File, whatever it is', isGivenToGroup(driver('File'), { ...many, fsType: '' }), true],
    ['read-only', isGivenToGroup(driver('File'), { ...one, readOnly: true }), false],
  ])('%s', (_, found, expected) => expect(found).toBe(expected));
});

describe('renderCapability', () => {
  const service = (...capabilities: string[]): CsiNodeService =>
    ({ has: async (c: string) => capabilities.includes(c) }) as unknown as CsiNodeService;
  const render = (accessMode: string, o: { isBlock?: boolean; multi?: boolean } = {}) =>
    renderCapability(service(...(o.multi === true ? ['SINGLE_NODE_MULTI_WRITER'] : [])), {
      accessMode,
      isBlock: o.isBlock === true,
      fsType: 'xfs',
      mountFlags: ['noatime'],
      group: 7,
    });
  it.each([
    ['ReadWriteOnce', false, 'SINGLE_NODE_WRITER'],
    ['ReadWriteOnce', true, 'SINGLE_NODE_MULTI_WRITER'],
    ['ReadWriteOncePod', false, 'SINGLE_NODE_WRITER'],
    ['ReadWriteOncePod', true, 'SINGLE_NODE_SINGLE_WRITER'],
    ['ReadOnlyMany', true, 'MULTI_NODE_READER_ONLY'],
    ['ReadWriteMany', false, 'MULTI_NODE_MULTI_WRITER'],
  ])('%s (multi-writer %s): %s', async (accessMode, multi, mode) =>
    expect((await render(accessMode, { multi })).accessMode).toEqual({ mode }),
  );
  it('is either a block device or a mount', async () => {
    expect(await render('ReadWriteOnce', { isBlock: true })).toEqual({ block: {}, accessMode: { mode: 'SINGLE_NODE_WRITER' } });
    expect((await render('ReadWriteOnce')).mount).toEqual({ fsType: 'xfs', mountFlags: ['noatime'], volumeMountGroup: '7' });
    await expect(render('Whatever')).rejects.toThrow('is not known');
  });
});

describe('growing on the node', () => {
  const volume: PersistentVolume = { metadata: {}, spec: { capacity: { storage: '2Gi' } } };
  const claim = (storage: string, phase = 'Bound'): PersistentVolumeClaim => ({ metadata: {}, status: { phase, capacity: { storage } } });
  it.each([
    ['smaller than its volume', claim('1Gi'), true],
    ['as large', claim('2048Mi'), false],
    ['not bound', claim('1Gi', 'Pending'), false],
  ])('%s', (_, found, expected) => expect(isToGrow(found, volume)).toBe(expected));
  it('ends what was pending, and nothing else', () => {
    const grown = renderGrown(
      {
        metadata: {},
        status: {
          phase: 'Bound',
          capacity: { storage: '1Gi' },
          conditions: [
            { type: 'FileSystemResizePending', status: 'True' },
            { type: 'ModifyingVolume', status: 'True' },
          ],
          allocatedResourceStatuses: { storage: 'NodeResizePending' },
        },
      },
      '2Gi',
    );
    expect(grown).toEqual({
      capacity: { storage: '2Gi' },
      conditions: [{ type: 'ModifyingVolume', status: 'True' }],
      allocatedResourceStatuses: null,
    });
  });
});

it('names attachments and inline volumes as others look for them', () => {
  expect(attachmentName({ volumeHandle: 'h', driver: 'd', nodeName: 'n' })).toMatch(/^csi-[0-9a-f]{64}$/);
  expect(inlineHandle('uid', 'v')).not.toBe(inlineHandle('uid', 'w'));
});

it('works for one key after the other, and goes on after a failure', async () => {
  const lock = createKeyedLock();
  const seen: string[] = [];
  let release: () => void = () => undefined;
  const first = lock('a', async () => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    seen.push('first');
  });
  const second = lock('a', async () => {
    seen.push('second');
    throw new Error('no');
  });
  const other = lock('b', async () => seen.push('other'));
  await other;
  expect(seen).toEqual(['other']);
  release();
  await first;
  await expect(second).rejects.toThrow('no');
  await lock('a', async () => seen.push('third'));
  expect(seen).toEqual(['other', 'first', 'second', 'third']);
});
