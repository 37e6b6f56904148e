import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { PersistentVolume } from '@skiff/api';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { podPaths } from '../volumes/pod-paths.ts';
import type { VolumeContext } from '../volumes/volume-plugin.ts';
import { PluginError } from './channel.ts';
import { globalMount, stagedDirectory, volumeFolder } from './csi-paths.ts';
import { createCsiVolumes, type CsiVolumesDeps } from './csi-volumes.ts';
import { saveVolumeData } from './volume-data.ts';

it('volumes stay in use when what is known of one is damaged', async () => {
  const rootDirectory = mkdtempSync(path.join(tmpdir(), 'csi-'));
  try {
    const deps = { hostMount: { local: (p: string) => p }, log: silentLogger } as unknown as CsiVolumesDeps;
    const volumes = createCsiVolumes({ rootDirectory, nodeName: 'n' }, deps);
    const folders = ['a', 'b'].map((name) => path.join(stagedDirectory(rootDirectory), 'd', name));
    for (const folder of folders) {
      mkdirSync(folder, { recursive: true });
      await saveVolumeData(folder, {
        specVolID: '',
        volumeHandle: path.basename(folder),
        driverName: 'd',
        volumeLifecycleMode: 'Persistent',
        targetPath: '',
        stagingPath: '',
        attachable: 'true',
      });
    }
    const before = await volumes.inUse();
    expect(before).toHaveLength(2);
    writeFileSync(path.join(folders[0] ?? '', 'vol_data.json'), '');
    expect(await volumes.inUse()).toEqual(before);
    expect(await volumes.inUse()).toEqual(before);
  } finally {
    rmSync(rootDirectory, { recursive: true });
  }
});

it.each([
  ['tells its driver what the node’s own record says', true, ['unpublish vol-1', 'unstage vol-1']],
  ['is unmounted without its driver, when nothing else is known of it', false, ['unmount mount']],
])('a pod comes to its end though what is known of its volume is damaged: it %s', async (_, recorded, expected) => {
  const rootDirectory = mkdtempSync(path.join(tmpdir(), 'csi-'));
  try {
    const did: string[] = [];
    const service = {
      unpublish: async (o: { volumeId: string }) => void did.push(`unpublish ${o.volumeId}`),
      unstage: async (o: { volumeId: string }) => void did.push(`unstage ${o.volumeId}`),
    };
    const deps = {
      hostMount: {
        local: (p: string) => p,
        mountsBelow: async () => [],
        unmount: async (p: string) => (recorded ? undefined : void did.push(`unmount ${path.basename(p)}`)),
      },
      drivers: { get: () => service, has: () => true },
      onUseChange: () => undefined,
      log: silentLogger,
    } as unknown as CsiVolumesDeps;
    const volumes = createCsiVolumes({ rootDirectory, nodeName: 'n' }, deps);
    const folder = volumeFolder(rootDirectory, { driver: 'd', volumeHandle: 'vol-1' });
    if (recorded) {
      mkdirSync(folder, { recursive: true });
      await saveVolumeData(folder, {
        specVolID: 'pv-1',
        volumeHandle: 'vol-1',
        driverName: 'd',
        volumeLifecycleMode: 'Persistent',
        targetPath: 'elsewhere',
        stagingPath: globalMount(folder),
        attachable: 'true',
      });
    }
    for (const uid of ['u', 'other']) {
      const pod = path.join(podPaths(rootDirectory, uid).root, 'volumes/kubernetes.io~csi/pv-1');
      mkdirSync(pod, { recursive: true });
      writeFileSync(path.join(pod, 'vol_data.json'), '{');
    }
    // While another pod may have it, it stays staged.
    await volumes.release('other');
    expect(did.some((d) => d.startsWith('unstage'))).toBe(false);
    did.length = 0;
    await volumes.release('u');
    expect(did).toEqual(expected);
    expect(existsSync(path.join(podPaths(rootDirectory, 'u').root, 'volumes/kubernetes.io~csi/pv-1'))).toBe(false);
  } finally {
    rmSync(rootDirectory, { recursive: true });
  }
});

describe('a volume', () => {
  let rootDirectory: string;
  let calls: string[];
  let fail: Partial<Record<string, Error>>;
  let mounts: Set<string>;
  beforeEach(() => {
    rootDirectory = mkdtempSync(path.join(tmpdir(), 'csi-'));
    calls = [];
    fail = {};
    mounts = new Set();
  });
  afterEach(() => rmSync(rootDirectory, { recursive: true }));

  const make = () => {
    const call =
      (name: string, mount: (request: Record<string, string>) => void = () => undefined) =>
      async (request: Record<string, string>): Promise<void> => {
        calls.push(name);
        const error = fail[name];
        if (error !== undefined) throw error;
        mount(request);
      };
    const service = {
      has: async (capability: string) => capability === 'STAGE_UNSTAGE_VOLUME',
      stage: call('stage', (r) => mounts.add(r['stagingTargetPath'] ?? '')),
      unstage: call('unstage', (r) => mounts.delete(r['stagingTargetPath'] ?? '')),
      publish: call('publish', (r) => mounts.add(r['targetPath'] ?? '')),
      unpublish: call('unpublish', (r) => mounts.delete(r['targetPath'] ?? '')),
    };
    const deps = {
      client: { get: async () => ({ spec: { attachRequired: false, requiresRepublish: true } }) },
      drivers: { get: () => service, has: () => true },
      hostMount: {
        local: (p: string) => p,
        mountsBelow: async (p: string) => [...mounts].filter((m) => m === p || m.startsWith(`${p}/`)),
        unmount: async (p: string) => void mounts.delete(p),
        makeDirectory: async (p: string) => void mkdirSync(p, { recursive: true }),
        typeOf: async () => undefined,
      },
      clock: systemClock,
      log: silentLogger,
      onUseChange: () => undefined,
      onPublished: () => undefined,
    } as unknown as CsiVolumesDeps;
    return createCsiVolumes({ rootDirectory, nodeName: 'n' }, deps);
  };
  const volume = { metadata: { name: 'pv' }, spec: { csi: { driver: 'd', volumeHandle: 'h' } } } as PersistentVolume;
  const mount = (volumes: ReturnType<typeof createCsiVolumes>, uid: string) => {
    const target = path.join(rootDirectory, 'pods', uid, 'volumes/kubernetes.io~csi/pv');
    mkdirSync(target, { recursive: true });
    const context = { pod: { metadata: { uid }, spec: {} }, signal: new AbortController().signal } as unknown as VolumeContext;
    return volumes.mount(volume, { volumeName: 'pv', isBlock: false, readOnly: false, mountOptions: [], target, context });
  };

  it.each([
    ['has refused', 3, ['stage']],
    ['may still be at it', 4, ['stage', 'unstage']],
  ])('that its driver could not stage is taken back only when the driver %s', async (_, code, wanted) => {
    const volumes = make();
    fail = { stage: new PluginError(code, 'rpc error') };
    await expect(mount(volumes, 'a')).rejects.toThrow('MountVolume.MountDevice failed for volume "pv" : rpc error');
    await volumes.release('a');
    expect(calls).toEqual(wanted);
  });

  it('is staged again when nobody knows whether it still is', async () => {
    const volumes = make();
    await mount(volumes, 'a');
    fail = { unstage: new PluginError(3, 'no') };
    await volumes.release('a');
    fail = {};
    await mount(volumes, 'b');
    expect(calls).toEqual(['stage', 'publish', 'unpublish', 'unstage', 'stage', 'publish']);
  });

  it('is published again for drivers that want it, once each time', async () => {
    const volumes = make();
    await mount(volumes, 'a');
    expect(volumes.isToPublishAgain('a')).toBe(false);
    expect(await volumes.toPublishAgain(new AbortController().signal)).toEqual(['a']);
    expect(volumes.isToPublishAgain('a')).toBe(true);
    await mount(volumes, 'a');
    expect(volumes.isToPublishAgain('a')).toBe(false);
    expect(calls).toEqual(['stage', 'publish', 'publish']);
  });
});
