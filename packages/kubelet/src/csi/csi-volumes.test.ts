import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentLogger } from '@skiff/component-base';
import { expect, it } from 'vitest';
import { stagedDirectory } from './csi-paths.ts';
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
