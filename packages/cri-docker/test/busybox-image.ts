import { readFile } from 'node:fs/promises';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';

export const busybox = '/bin/busybox';
export const image = 'skiff-test/busybox:1';

/** Imports an image with busybox and its applets. */
export async function importBusybox(docker: Docker): Promise<void> {
  const archive = pack();
  archive.entry({ name: 'bin/busybox', mode: 0o755 }, await readFile(busybox));
  for (const applet of ['sh', 'cat', 'sleep', 'echo', 'env', 'id', 'nc', 'hostname', 'ip', 'true', 'stty', 'ps', 'yes', 'head', 'wc']) {
    archive.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  }
  for (const directory of ['tmp', 'etc', 'proc', 'sys', 'dev']) archive.entry({ name: directory, type: 'directory', mode: 0o1777 });
  archive.finalize();
  const progress = await docker.importImage(archive as unknown as NodeJS.ReadableStream, { repo: 'skiff-test/busybox', tag: '1' });
  progress.resume();
  await new Promise((resolve) => progress.on('end', resolve));
}
