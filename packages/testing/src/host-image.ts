import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';

export interface HostImage {
  /** `repository:tag`. */
  readonly name: string;
  /** Programs of this host, absolute; they go into the image at the same path together with the libraries they need. */
  readonly programs: readonly string[];
  /** Further names for programs: link path → target. */
  readonly links?: Readonly<Record<string, string>>;
  /** Text files: path → content. */
  readonly files?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** The shared libraries and the loader of a dynamic program, as ldd names them; none for a static one. */
function librariesOf(program: string): readonly string[] {
  const result = spawnSync('ldd', [program], { encoding: 'utf8' });
  if (result.status !== 0) return [];
  return [...result.stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((m) => m[1] ?? '').filter((p) => p !== '');
}

/**
 * Makes an image from programs of this host, without any registry or build: a tar of the programs and their libraries, imported
 * into the engine. Takes about a second for 100 MB. Throws when a program is missing.
 */
export async function importHostImage(docker: Docker, image: HostImage): Promise<void> {
  const entries = new Map<string, { kind: 'file'; from: string } | { kind: 'text'; text: string } | { kind: 'link'; target: string }>();
  const addFile = (path: string): void => {
    if (entries.has(path)) return;
    if (!existsSync(path)) throw new Error(`${path} is not on this host`);
    if (lstatSync(path).isSymbolicLink() && !path.startsWith('/lib')) {
      entries.set(path, { kind: 'link', target: readlinkSync(path) });
      addFile(realpathSync(path));
      return;
    }
    entries.set(path, { kind: 'file', from: realpathSync(path) });
  };
  for (const program of image.programs) {
    addFile(program);
    for (const library of librariesOf(program)) addFile(library);
  }
  // Names are resolved by libraries that ldd does not see.
  for (const library of [
    '/lib/x86_64-linux-gnu/libnss_dns.so.2',
    '/lib/x86_64-linux-gnu/libnss_files.so.2',
    '/lib/x86_64-linux-gnu/libresolv.so.2',
    '/lib/aarch64-linux-gnu/libnss_dns.so.2',
    '/lib/aarch64-linux-gnu/libnss_files.so.2',
    '/lib/aarch64-linux-gnu/libresolv.so.2',
  ]) {
    if (existsSync(library)) addFile(library);
  }
  for (const [path, target] of Object.entries(image.links ?? {})) entries.set(path, { kind: 'link', target });
  const texts = {
    '/etc/nsswitch.conf': 'hosts: files dns\n',
    '/etc/passwd': 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
    '/etc/group': 'root:x:0:\nnogroup:x:65534:\n',
    ...image.files,
  };
  for (const [path, text] of Object.entries(texts)) entries.set(path, { kind: 'text', text });

  const tar = pack();
  const folders = new Set<string>(['.']);
  const addFolders = (name: string): void => {
    const folder = dirname(name);
    if (folder === '.' || folders.has(folder)) return;
    addFolders(folder);
    folders.add(folder);
    tar.entry({ name: `${folder}/`, type: 'directory', mode: 0o755 });
  };
  tar.entry({ name: 'tmp/', type: 'directory', mode: 0o1777 });
  folders.add('tmp');
  for (const [path, entry] of entries) {
    const name = path.slice(1);
    addFolders(name);
    if (entry.kind === 'link') tar.entry({ name, type: 'symlink', linkname: entry.target });
    else if (entry.kind === 'text') tar.entry({ name, mode: 0o644 }, entry.text);
    else tar.entry({ name, mode: statSync(entry.from).mode & 0o7777 }, readFileSync(entry.from));
  }
  tar.finalize();
  const separator = image.name.lastIndexOf(':');
  const changes = [
    ...(image.command === undefined ? [] : [`CMD ${JSON.stringify(image.command)}`]),
    ...Object.entries({ PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...image.environment }).map(
      ([k, v]) => `ENV ${k}=${v}`,
    ),
    ...Object.entries(image.labels ?? {}).map(([k, v]) => `LABEL ${k}=${v}`),
  ];
  const answer = await docker.importImage(tar as unknown as NodeJS.ReadableStream, {
    repo: image.name.slice(0, separator),
    tag: image.name.slice(separator + 1),
    changes,
  });
  await drain(answer);
}

/** The engine reports progress as JSON lines; an error comes as one of them under status 200. */
async function drain(stream: NodeJS.ReadableStream): Promise<void> {
  let text = '';
  for await (const chunk of stream) text += chunk.toString();
  for (const line of text.split('\n').filter((l) => l.trim() !== '')) {
    const message = JSON.parse(line) as { error?: string };
    if (message.error !== undefined) throw new Error(`importing the image failed: ${message.error}`);
  }
}

/** busybox with every applet by its name. `path`: a statically linked busybox of this host. */
export function busyboxImage(name: string, path = '/bin/busybox'): HostImage {
  const listed = spawnSync(path, ['--list'], { encoding: 'utf8' });
  if (listed.status !== 0) throw new Error(`${path} is not a busybox`);
  const applets = listed.stdout.split('\n').filter((a) => a !== '' && a !== 'busybox');
  return { name, programs: [path], links: Object.fromEntries(applets.map((a) => [join('/bin', a), path])), command: ['sh'] };
}

/** Node.js as it runs here. */
export const nodeImage = (name: string, files: Readonly<Record<string, string>>, command: readonly string[]): HostImage => ({
  name,
  programs: [realpathSync(process.execPath)],
  links: { '/usr/local/bin/node': realpathSync(process.execPath) },
  files,
  command,
});
