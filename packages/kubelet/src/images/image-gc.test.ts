import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { RuntimeError } from '@skiff/cri';
import { createFakeRuntime } from '@skiff/cri/fake';
import { createImageGarbage } from './image-gc.ts';

const settings = { highShare: 0.85, lowShare: 0.8, minimumAgeMs: 120_000, maximumAgeMs: 0 };
const never = new AbortController().signal;

describe('image garbage', () => {
  it('removes only what was fetched here, is unused and old, and only when the disk is full', async () => {
    const clock = new FakeClock();
    const { images } = createFakeRuntime({ clock, images: ['a:1', 'b:1'] });
    images.local.add('users:1');
    let usedBytes = 500;
    const full = {
      ...images,
      imageFilesystem: async () => ({ mountpoint: '/', usedBytes, capacityBytes: 1000, availableBytes: 0, inodes: 1, inodesFree: 1 }),
    };
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'images-')), 'pulled.json');
    const garbage = createImageGarbage({ file, ...settings }, { images: full, clock, log: silentLogger });
    for (const name of ['a:1', 'b:1']) await garbage.notePulled(await images.pullImage(name, undefined, never));
    await clock.advance(600_000);
    expect(await garbage.collect(new Set())).toBe(0);
    usedBytes = 1000;
    // What it knows outlives the process.
    const later = createImageGarbage({ file, ...settings }, { images: full, clock, log: silentLogger });
    expect(await later.collect(new Set(['b:1']))).toBe(1);
    expect([...images.local].sort()).toEqual(['b:1', 'users:1']);
    expect(await later.reclaim(new Set(['b:1']))).toBe(0);
    expect(await later.reclaim(new Set())).toBe(1);
    expect([...images.local]).toEqual(['users:1']);
  });

  it('removes what was unused for long, where a greatest age is set', async () => {
    const clock = new FakeClock();
    const { images } = createFakeRuntime({ clock, images: ['a:1', 'b:1'] });
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'images-')), 'pulled.json');
    const garbage = createImageGarbage({ file, ...settings, maximumAgeMs: 3_600_000 }, { images, clock, log: silentLogger });
    for (const name of ['a:1', 'b:1']) await garbage.notePulled(await images.pullImage(name, undefined, never));
    await clock.advance(3_000_000);
    expect(await garbage.collect(new Set(['b:1']))).toBe(0);
    await clock.advance(1_000_000);
    expect(await garbage.collect(new Set())).toBe(1);
    expect([...images.local]).toEqual(['b:1']);
  });

  it('goes on with others when one can not be removed', async () => {
    const clock = new FakeClock();
    const { images } = createFakeRuntime({ clock, images: ['a:1', 'b:1', 'c:1'] });
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'images-')), 'pulled.json');
    const stuck = await images.pullImage('a:1', undefined, never);
    const removeImage = async (id: string): Promise<void> => {
      if (id === stuck.id) throw new RuntimeError('internal', 'no space left on device');
      await images.removeImage(id);
    };
    const garbage = createImageGarbage({ file, ...settings }, { images: { ...images, removeImage }, clock, log: silentLogger });
    for (const name of ['a:1', 'b:1', 'c:1']) await garbage.notePulled(await images.pullImage(name, undefined, never));
    expect(await garbage.reclaim(new Set())).toBe(2);
    expect([...images.local]).toEqual(['a:1']);
  });

  it('records again once there is room again', async () => {
    const clock = new FakeClock();
    const { images } = createFakeRuntime({ clock, images: ['a:1'] });
    const directory = path.join(mkdtempSync(path.join(os.tmpdir(), 'images-')), 'later');
    const file = path.join(directory, 'pulled.json');
    const garbage = createImageGarbage({ file, ...settings }, { images, clock, log: silentLogger });
    const image = await images.pullImage('a:1', undefined, never);
    await expect(garbage.notePulled(image)).rejects.toThrow('ENOENT');
    mkdirSync(directory);
    await garbage.notePulled(image);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toHaveProperty([image.id]);
  });
});
