import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentLogger } from '@skiff/component-base';
import { expect, it } from 'vitest';
import { podPaths } from '../volumes/pod-paths.ts';
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
