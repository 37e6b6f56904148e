import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { silentLogger } from '@skiff/component-base';
import { expect, it } from 'vitest';
import { createPullRecords } from './pull-records.ts';

it('what could not be recorded for want of room is recorded the next time', async () => {
  const folder = path.join(mkdtempSync(path.join(tmpdir(), 'records-')), 'later');
  const file = path.join(folder, 'image-pulls.json');
  const mine = { username: 'me', password: 'secret', serverAddress: 'r.example' };
  const records = createPullRecords(file, silentLogger);
  await expect(records.notePulled('sha256:1', 'r.example/a:1', mine)).rejects.toThrow('ENOENT');
  mkdirSync(folder);
  await records.notePulled('sha256:1', 'r.example/a:1', mine);
  expect(existsSync(file)).toBe(true);
  // Another kubelet would give the image to everybody, did it not know.
  const later = createPullRecords(file, silentLogger);
  expect(await later.allows('sha256:1', 'r.example/a:1', [])).toBe(false);
  expect(await later.allows('sha256:1', 'r.example/a:1', [mine])).toBe(true);
});
