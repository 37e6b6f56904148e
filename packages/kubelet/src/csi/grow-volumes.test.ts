import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { PersistentVolumeClaim } from '@skiff/api';
import { applyMergePatch } from '@skiff/apimachinery';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PluginError } from './channel.ts';
import { growVolumes, type GrowVolumesDeps } from './grow-volumes.ts';
import { saveVolumeData } from './volume-data.ts';

let root: string;
beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'grow-'));
  const folder = path.join(root, 'pods/u/volumes/kubernetes.io~csi/pv');
  mkdirSync(folder, { recursive: true });
  await saveVolumeData(folder, {
    specVolID: 'pv',
    volumeHandle: 'h',
    driverName: 'd',
    volumeLifecycleMode: 'Persistent',
    targetPath: '',
    stagingPath: '',
    attachable: 'false',
  });
});
afterEach(() => rmSync(root, { recursive: true }));

/** A claim for 2Gi of a volume that the controller made 2Gi large, on a node whose driver answers with `answer`. */
function make(answer: () => void) {
  let claim: PersistentVolumeClaim = {
    metadata: { uid: 'c', name: 'claim', namespace: 'ns' },
    spec: { resources: { requests: { storage: '2Gi' } } },
    status: { phase: 'Bound', capacity: { storage: '1Gi' }, allocatedResourceStatuses: { storage: 'NodeResizePending' } },
  };
  const stages: (string | undefined)[] = [];
  let asked = 0;
  const deps: GrowVolumesDeps = {
    client: {
      get: async (_: unknown, { namespace }: { namespace?: string }) =>
        namespace === undefined
          ? {
              spec: {
                capacity: { storage: '2Gi' },
                claimRef: { namespace: 'ns', name: 'claim', uid: 'c' },
                csi: { driver: 'd', volumeHandle: 'h' },
              },
            }
          : claim,
      patch: async (_: unknown, __: unknown, { body }: { body: object }) => {
        claim = applyMergePatch(claim as never, body as never) as unknown as PersistentVolumeClaim;
        stages.push(claim.status?.allocatedResourceStatuses?.['storage']);
      },
    },
    drivers: {
      has: () => true,
      get: () => ({
        has: async () => true,
        expand: async () => {
          asked++;
          answer();
        },
      }),
    },
    hostMount: { local: (p: string) => p },
    log: silentLogger,
    clock: systemClock,
    refused: new Map(),
    event: () => undefined,
  } as unknown as GrowVolumesDeps;
  return {
    round: () => growVolumes(root, deps, new AbortController().signal),
    ask: (storage: string) => {
      claim = { ...claim, spec: { resources: { requests: { storage } } } };
    },
    claim: () => claim,
    stages,
    asked: () => asked,
  };
}

it('tells that it is growing, and that it has grown', async () => {
  const grown = make(() => undefined);
  await grown.round();
  expect(grown.stages).toEqual(['NodeResizeInProgress', undefined]);
  expect(grown.claim().status?.capacity).toEqual({ storage: '2Gi' });
});

it('is not tried again when the driver says that it can never be', async () => {
  const refused = make(() => {
    throw new PluginError(11, 'rpc error: code = OutOfRange desc = too large');
  });
  await refused.round();
  await refused.round();
  expect(refused.asked()).toBe(1);
  expect(refused.stages).toEqual(['NodeResizeInProgress', 'NodeResizeInfeasible']);
  expect(refused.claim().status?.conditions).toMatchObject([
    { type: 'NodeResizeError', message: 'failed to expand pvc with rpc error: code = OutOfRange desc = too large' },
  ]);
});

it('is given up after other refusals when the user has asked for another size meanwhile', async () => {
  const failing = make(() => {
    throw new PluginError(13, 'rpc error: code = Internal desc = no');
  });
  await failing.round();
  await failing.round();
  expect(failing.stages.at(-1)).toBe('NodeResizeInProgress');
  failing.ask('1500Mi');
  await failing.round();
  await failing.round();
  expect(failing.stages.at(-1)).toBe('NodeResizeInfeasible');
  expect(failing.asked()).toBe(3);
});

it('is only tried again while the driver may still be at it', async () => {
  const slow = make(() => {
    throw new PluginError(4, 'rpc error: code = DeadlineExceeded desc = slow');
  });
  await slow.round();
  slow.ask('1500Mi');
  await slow.round();
  expect(slow.stages).toEqual(['NodeResizeInProgress']);
  expect(slow.asked()).toBe(2);
});
