import type { HostPathVolumeSource } from '@skiff/api';
import type { PathType } from '../../host/host-mount.ts';
import type { VolumePlugin } from '../volume-plugin.ts';

const wanted: Readonly<Record<string, PathType>> = {
  Directory: 'directory',
  File: 'file',
  Socket: 'socket',
  CharDevice: 'char',
  BlockDevice: 'block',
};

/** A path of the node. What it has to be is checked before each start, and made where the type says so. */
export const hostPath: VolumePlugin<HostPathVolumeSource> = {
  name: 'host-path',
  refreshes: false,
  setUp: async (source, { hostMount }) => {
    const type = source.type ?? '';
    const found = await hostMount.typeOf(source.path);
    const check = (expected: PathType, what: string): void => {
      if (found !== expected) throw new Error(`hostPath type check failed: ${source.path} is not a ${what}`);
    };
    switch (type) {
      case '':
        // The engine refuses to bind what is not there; other runtimes make a directory.
        if (found === undefined) await hostMount.makeDirectory(source.path, '0755');
        break;
      case 'DirectoryOrCreate':
        if (found === undefined) await hostMount.makeDirectory(source.path, '0755');
        else check('directory', 'directory');
        break;
      case 'FileOrCreate':
        if (found === undefined) await hostMount.makeFile(source.path, '0644');
        else check('file', 'file');
        break;
      default: {
        const expected = wanted[type];
        if (expected === undefined) throw new Error(`"${type}" is an invalid volume type`);
        check(
          expected,
          { directory: 'directory', file: 'file', socket: 'socket file', char: 'character device', block: 'block device', other: 'file' }[
            expected
          ],
        );
      }
    }
    return { path: source.path, readOnly: false };
  },
};
