import { access } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { isRuntimeError } from '@skiff/cri';
import { createDockerRuntime, defaultDockerRuntimeConfig } from '../src/index.ts';
import { startRegistry } from './private-registry.ts';

const missing = await access('/var/run/docker.sock').then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) console.warn(`SKIPPED: pulls from registries need Docker Engine: ${missing}`);

describe.skipIf(missing !== undefined)('registries', () => {
  const { images, ...made } = createDockerRuntime({ ...defaultDockerRuntimeConfig, instance: `registries-${process.pid}` });
  const never = new AbortController().signal;
  const own = `registry-${process.pid}.example/team/app`;
  const fetched = new Set<string>();
  const credentials = (password: string) => ({ username: 'alice', password, serverAddress: '' });
  const kindOf = (pull: Promise<unknown>): Promise<string> =>
    pull.then(
      () => 'none',
      (error: unknown) => (isRuntimeError(error) ? error.kind : String(error)),
    );
  afterAll(async () => {
    for (const id of fetched) await images.removeImage(id);
    made.close();
  });

  it('lets in who has the password, and says what is wrong with the others', async () => {
    await using registry = await startRegistry({ password: 'right', content: `private ${process.pid}` });
    const name = `${registry.host}/team/app:1`;
    expect(await kindOf(images.pullImage(name, undefined, never))).toBe('image-auth');
    expect(await kindOf(images.pullImage(name, credentials('wrong'), never))).toBe('image-auth');
    expect(await kindOf(images.pullImage(`${registry.host}/team/app:none`, credentials('right'), never))).toBe('image-missing');
    const image = await images.pullImage(name, credentials('right'), never);
    fetched.add(image.id);
    expect(image.imageId).toBe(`docker-pullable://${registry.host}/team/app@${registry.digest}`);
    expect((await images.imageStatus(`${registry.host}/team/app@${registry.digest}`))?.id).toBe(image.id);
  });

  it("an image of a mirror has its own name; what is named by its digest is found under the mirror's", async () => {
    await using mirror = await startRegistry({ content: `mirrored ${process.pid}` });
    const image = await images.pullImage(`${own}:1`, undefined, never, `${mirror.host}/cache/team/app:1`);
    fetched.add(image.id);
    expect(image.repoTags).toEqual(expect.arrayContaining([`${own}:1`]));
    expect((await images.imageStatus(`${own}:1`))?.id).toBe(image.id);
    const pinned = await images.pullImage(`${own}@${mirror.digest}`, undefined, never, `${mirror.host}/other/app@${mirror.digest}`);
    expect(pinned.id).toBe(image.id);
    expect((await images.imageStatus(`${mirror.host}/other/app@${mirror.digest}`))?.id).toBe(image.id);
    // All names go with it, those that are digests too.
    await images.removeImage(image.id);
    expect(await images.imageStatus(image.id)).toBeUndefined();
    expect([...mirror.seen]).toEqual([]);
  });
});
