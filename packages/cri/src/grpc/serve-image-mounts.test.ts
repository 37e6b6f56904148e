import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { systemClock } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { containerConfig, sandboxConfig } from '../conformance.ts';
import type { Mount } from '../container.ts';
import { createFakeRuntime } from '../fake/index.ts';
import { mountsImages, mountsImageSubPaths } from './remote-status.ts';
import { createImageMounts, withImagesNamed } from './serve-image-mounts.ts';

const never = new AbortController().signal;

describe('mounts of images', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'image-mounts-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const make = async () => {
    const target = createFakeRuntime({ clock: systemClock, images: ['a:1', 'b:1'] });
    const images = [await target.images.pullImage('a:1', undefined, never), await target.images.pullImage('b:1', undefined, never)];
    const [a = '', b = ''] = images.map((i) => i.id);
    const mount = (id: string, { subPath, ...more }: Partial<Mount> & { subPath?: string } = {}): Mount => ({
      containerPath: `/${id}`,
      hostPath: '',
      readOnly: true,
      propagation: 'private',
      image: { id, reference: 'a:1', ...(subPath === undefined ? {} : { subPath }) },
      ...more,
    });
    return { target, mounts: createImageMounts(target, directory), mount, a, b };
  };

  it('binds what was unpacked once, names the image to clients, and removes it with the last container', async () => {
    const { target, mounts, mount, a, b } = await make();
    const sandbox = await target.runtime.runPodSandbox(sandboxConfig(), { signal: never });
    const create = (name: string, wanted: readonly Mount[]): Promise<string> =>
      mounts.with(
        wanted,
        (resolved, annotations) => {
          const config = containerConfig('a:1', ['pause'], { metadata: { name, attempt: 0 }, mounts: resolved, annotations });
          return target.runtime.createContainer(sandbox.id, config);
        },
        never,
      );
    const plain: Mount = { containerPath: '/x', hostPath: '/tmp', readOnly: false, propagation: 'private' };
    const first = await create('first', [plain, mount(a)]);
    const second = await create('second', [mount(a, { subPath: 'image' }), mount(b)]);
    const { annotations } = await target.runtime.containerStatus(second);
    const told = withImagesNamed([{ ...mount(a), hostPath: '/somewhere' }, plain], annotations);
    expect(told).toEqual([mount(a, { subPath: 'image' }), plain]);

    await mounts.sweep();
    expect(await readdir(directory)).toHaveLength(2);
    await target.runtime.removeContainer(second);
    await mounts.sweep();
    const [left = ''] = await readdir(directory);
    expect(`sha256:${left}`).toBe(a);
    expect(await readFile(path.join(directory, left, 'image'), 'utf8')).toBe('a:1\n');
    await target.runtime.removeContainer(first);
    await mounts.sweep();
    expect(await readdir(directory)).toEqual([]);
  });

  it('makes no container for a client that gave up while another image was unpacked', async () => {
    const { mounts, mount, a } = await make();
    let finish = (): void => undefined;
    const first = mounts.with([mount(a)], () => new Promise<void>((resolve) => (finish = resolve)), never);
    const client = new AbortController();
    let made = false;
    const second = mounts.with([mount(a)], async () => void (made = true), client.signal);
    client.abort(new Error('the client gave up'));
    await expect.poll(() => readdir(directory)).toHaveLength(1);
    const refused = expect(second).rejects.toThrow('the client gave up');
    await expect
      .poll(() => {
        finish();
        return Promise.race([first.then(() => true), new Promise((r) => setTimeout(r, 10))]);
      })
      .toBe(true);
    await refused;
    expect(made).toBe(false);
  });

  it('refuses what is not read-only, not there, or leads out of the image', async () => {
    const { target, mounts, mount, a } = await make();
    const made: string[] = [];
    const attempt = (m: Mount, all = mounts): Promise<void> =>
      all.with(
        [m],
        async ([resolved]) => {
          made.push(resolved?.hostPath ?? '');
        },
        never,
      );
    await attempt(mount(a, { subPath: 'image' }));
    const root = path.dirname(made[0] ?? '');
    expect(path.dirname(root)).toBe(directory);
    await symlink('/etc', path.join(root, 'out'));
    await writeFile(path.join(root, 'kept'), '');
    await expect(attempt(mount(a, { readOnly: false }))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(attempt(mount(a, { hostPath: '/etc' }))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(attempt(mount(a, { propagation: 'bidirectional' }))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(attempt(mount(a, { subPath: 'none' }))).rejects.toThrow('ENOENT of subPath "none" in a:1');
    await expect(attempt(mount(a, { subPath: 'out/passwd' }))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(attempt(mount(a, { subPath: '../..' }))).rejects.toMatchObject({ kind: 'invalid' });
    await expect(attempt(mount('sha256:none'))).rejects.toMatchObject({ kind: 'not-found' });
    await expect(attempt(mount(a), createImageMounts(target, undefined))).rejects.toMatchObject({ kind: 'invalid' });
    expect(made).toHaveLength(1);
  });
});

it.each([
  ['containerd', '1.6.20~ds1', false],
  ['containerd', 'v1.7.27', false],
  ['containerd', 'v2.0.5', false],
  ['containerd', 'v2.1.0-rc.0', true],
  ['containerd', 'v2.4.0-beta.1', true],
  ['containerd', '3.0', true],
  ['cri-o', '1.30.9', false],
  ['cri-o', '1.31.0', true],
  ['docker', '28.0.1', false],
  ['containerd', 'built by hand', false],
])('%s %s mounts images: %s', (runtimeName, runtimeVersion, expected) => {
  expect(mountsImages({ runtimeName, runtimeVersion, apiVersion: 'v1' })).toBe(expected);
});

it.each([
  ['cri-o', '1.32.9', false],
  ['cri-o', '1.33.0', true],
  ['containerd', 'v2.1.0', true],
  ['docker', '28.0.1', true],
])('%s %s mounts a part of an image: %s', (runtimeName, runtimeVersion, expected) => {
  expect(mountsImageSubPaths({ runtimeName, runtimeVersion, apiVersion: 'v1' })).toBe(expected);
});
