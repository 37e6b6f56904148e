import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { followTlsFiles, parseBundle, readTlsFiles, type TlsMaterial } from './tls-files.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skiff-tls-'));
});
afterAll(() => rm(dir, { recursive: true }));

describe('certificate files', () => {
  it('are read again when they change', async () => {
    const names = { certFile: join(dir, 'c'), keyFile: join(dir, 'k'), clientCaFile: undefined, requestHeaderCaFile: undefined };
    await writeFile(names.certFile, 'one');
    await writeFile(names.keyFile, 'key');
    const first = await readTlsFiles(names);
    const clock = new FakeClock();
    const controller = new AbortController();
    // The loop must have looked at the files once before they change: its first sleep tells.
    let asleep: () => void = () => undefined;
    const sleeping = new Promise<void>((resolve) => {
      asleep = resolve;
    });
    const watched = Object.assign(Object.create(clock) as FakeClock, {
      sleep: (ms: number, signal?: AbortSignal) => {
        asleep();
        return clock.sleep(ms, signal);
      },
    });
    let running: Promise<void> = Promise.resolve();
    const changed = new Promise<TlsMaterial>((resolve) => {
      running = followTlsFiles(names, first, {
        intervalMs: 1000,
        clock: watched,
        log: silentLogger,
        signal: controller.signal,
        changed: resolve,
      });
    });
    await sleeping;
    await writeFile(names.certFile, 'two');
    await utimes(names.certFile, 1, 1);
    await clock.advance(1000);
    expect(await changed).toMatchObject({ cert: 'two', key: 'key' });
    controller.abort();
    await running;
  });

  it('must hold certificates', () => {
    expect(() => parseBundle('nothing', 'ca.crt')).toThrow('ca.crt holds no certificate');
  });
});
