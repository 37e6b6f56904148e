import { expect, it } from 'vitest';
import type { VolumeContext } from './volume-plugin.ts';
import { volumePlugins } from './plugins.ts';

// CVE-2024-10220, CVE-2025-1767: a repository's hooks ran on the node.
it('gitRepo volumes are refused', async () => {
  const source = { repository: 'https://example.com/r.git', directory: '../../x' };
  await expect(volumePlugins.gitRepo.setUp(source, {} as VolumeContext)).rejects.toThrow(
    'volumes of type gitRepo are not supported by this kubelet',
  );
});
