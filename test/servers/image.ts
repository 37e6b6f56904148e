import { execFile } from 'node:child_process';
import { access, realpath, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Enough for images of some 20 MB; where registries take packets and never answer, each image costs this much. */
const pullTimeoutMs = 15_000;

export interface ServerImage {
  /** Where the makers publish it. */
  readonly published: string;
  /** The distribution's binary, to make an image from where nothing can be pulled. Absent = there is none. */
  readonly binary?: string | undefined;
  /** Name of the image made on the spot, without tag. */
  readonly madeAs: string;
}

/** The name of an image that this Docker engine has, pulled or made on the spot; undefined when neither can be done, with the reason logged. */
export async function ensureImage(image: ServerImage): Promise<string | undefined> {
  if (await exists(image.published)) return image.published;
  const version = image.binary && (await versionOf(image.binary));
  const made = version && `${image.madeAs}:${version}`;
  if (made && (await exists(made))) return made;
  // Each test file asks for it, and where there is no way to a registry each would wait. The folder is the test run's own.
  const note = join(tmpdir(), `can-not-pull-${image.madeAs.replaceAll('/', '-')}`);
  try {
    if (await isThere(note)) throw new Error('it could not be pulled before');
    await run('docker', ['pull', '--quiet', image.published], { timeout: pullTimeoutMs });
    return image.published;
  } catch (error) {
    await writeFile(note, '');
    if (!image.binary || !made) {
      console.warn(
        `SKIPPED: ${image.published} can't be pulled and there is no binary to make an image from: ${String(error).slice(0, 200)}`,
      );
      return undefined;
    }
    await importBinary(image.binary, made);
    return made;
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const exists = (name: string): Promise<boolean> =>
  run('docker', ['image', 'inspect', name]).then(
    () => true,
    () => false,
  );

async function versionOf(binary: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(binary, ['--version']);
    return /\d+\.\d+\.\d+/.exec(stdout)?.[0];
  } catch {
    return undefined;
  }
}

/** An image of one binary, at `/server`, and the libraries that the loader names. */
async function importBinary(binary: string, name: string): Promise<void> {
  const { stdout } = await run('ldd', [binary]).catch(() => ({ stdout: '' }));
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] as string);
  const target = (await realpath(binary)).slice(1);
  // Links are followed, and the binary gets a name that doesn't depend on where it came from.
  const tar = `tar --dereference --absolute-names --transform 's,^/*${target}$,server,' --transform 's,^/*,,' -c "$@"`;
  const command = `${tar} | docker import --change 'ENTRYPOINT ["/server"]' --change 'WORKDIR /' - ${name}`;
  await run('bash', ['-o', 'pipefail', '-c', command, 'bash', `/${target}`, ...new Set(libraries)]);
}

/** Whether a Docker engine answers; says so when none does. */
export async function hasDocker(): Promise<boolean> {
  try {
    await run('docker', ['version', '--format', '{{.Server.Version}}']);
    return true;
  } catch (error) {
    console.warn(`SKIPPED: no Docker engine answers: ${String(error).slice(0, 200)}`);
    return false;
  }
}
