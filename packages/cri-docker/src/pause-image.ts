import { buffer } from 'node:stream/consumers';
import { RuntimeError } from '@skiff/cri';
import type { Engine } from './engine.ts';
import { asRuntimeError, unlessGone } from './engine-error.ts';
import { emitPauseProgram, isPauseArchitecture } from './pause-program.ts';

/** Raise the tag when the program changes. */
const builtInName = 'skiff/pause:1';

async function importPauseImage(engine: Engine): Promise<void> {
  const { architecture } = await engine.version();
  if (!isPauseArchitecture(architecture)) {
    throw new RuntimeError('invalid', `there is no built-in sandbox image for ${architecture}; name one with --pod-infra-container-image`);
  }
  const { pack } = await import('tar-stream');
  const archive = pack();
  archive.entry({ name: 'pause', mode: 0o755, mtime: new Date(0) }, emitPauseProgram(architecture));
  archive.finalize();
  const [repo, tag] = builtInName.split(':') as [string, string];
  const query = new URLSearchParams({ fromSrc: '-', repo, tag, message: 'Skiff sandbox', platform: `linux/${architecture}` });
  for (const change of ['ENTRYPOINT ["/pause"]', 'USER 65535:65535']) query.append('changes', change);
  const answer = await engine.stream({
    method: 'POST',
    path: `/images/create?${query.toString()}`,
    headers: { 'Content-Type': 'application/x-tar' },
    body: await buffer(archive),
  });
  const text = (await buffer(answer)).toString();
  if (text.includes('"error"')) throw new RuntimeError('internal', `importing the sandbox image failed: ${text.trim()}`);
}

/** Makes sure that the sandbox image is in the engine and resolves with its name. A missing configured image is pulled by nobody. */
export async function ensurePauseImage(engine: Engine, configured: string | undefined): Promise<string> {
  const name = configured ?? builtInName;
  const docker = await engine.docker();
  const present = await unlessGone(docker.getImage(name).inspect());
  if (present !== undefined) return name;
  if (configured !== undefined) {
    const pull = await docker.pull(configured).catch((error: unknown) => {
      throw asRuntimeError(error, 'image-pull');
    });
    await new Promise<void>((resolve, reject) => {
      docker.modem.followProgress(pull, (error) => (error === null ? resolve() : reject(asRuntimeError(error, 'image-pull'))));
    });
  } else await importPauseImage(engine);
  return name;
}
