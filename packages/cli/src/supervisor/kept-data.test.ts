import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { isLost, rememberData } from './kept-data.ts';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(os.tmpdir(), 'kept-data-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

it('a marker that can not be written is tried again, and ends nothing', async () => {
  const data = { folder: join(place, 'data'), suffix: '.wal', marker: join(place, 'absent/marker'), lost: 'gone' };
  mkdirSync(data.folder);
  writeFileSync(join(data.folder, '1.wal'), '');
  using _ = rememberData(data, { clock: systemClock, log: silentLogger });
  mkdirSync(join(place, 'absent'));
  await vi.waitFor(() => expect(existsSync(data.marker)).toBe(true), 20_000);
  rmSync(data.folder, { recursive: true });
  expect(isLost(data)).toBe(true);
});
