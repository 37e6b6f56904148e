import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { silentLogger } from '@skiff/component-base';
import type { TrackedCredentials } from './keyring.ts';
import { createPullRecords, type PullRecords } from './pull-records.ts';
import { verificationPolicy } from './verification-policy.ts';

const open = (directory: string, policy: string, allowed: readonly string[] = []): PullRecords =>
  createPullRecords(
    {
      file: path.join(directory, 'pulls.json'),
      intentsFile: path.join(directory, 'begun.json'),
      policy: verificationPolicy(policy, allowed),
    },
    silentLogger,
  );
const newDirectory = (): string => mkdtempSync(path.join(os.tmpdir(), 'records-'));
const nothing = async (): Promise<readonly TrackedCredentials[]> => [];

it.each([
  ['NeverVerify', true, true],
  ['NeverVerifyPreloadedImages', true, false],
  ['NeverVerifyAllowlistedImages', false, false],
  ['AlwaysVerify', false, false],
])('%s', async (policy, preloaded, pulled) => {
  const records = open(newDirectory(), policy, policy.includes('Allow') ? ['r/ok', 'q/*'] : []);
  expect(await records.allows('sha256:1', 'r/a:1', nothing)).toBe(preloaded);
  const source = { kind: 'serviceAccount', namespace: 'n', name: 'a', uid: '1' } as const;
  const mine = { source, credentials: { username: 'u', password: 'token-1', serverAddress: 'r' } };
  await records.notePulled('sha256:2', 'r/a:1', mine);
  expect(await records.allows('sha256:2', 'r/a:1', nothing)).toBe(pulled);
  const later = { source, credentials: { ...mine.credentials, password: 'token-2' } };
  expect(await records.allows('sha256:2', 'r/a:1', async () => [later])).toBe(true);
  if (policy.includes('Allow')) {
    expect(await records.allows('sha256:2', 'r/ok:9', nothing)).toBe(true);
    expect(await records.allows('sha256:2', 'q/x/y', nothing)).toBe(true);
  }
});

it('an image whose pull was cut off by a crash is not taken for one that was loaded by hand', async () => {
  const directory = newDirectory();
  await open(directory, 'NeverVerifyPreloadedImages').pullBegins('r/a:1');
  const later = open(directory, 'NeverVerifyPreloadedImages');
  expect(await later.allows('sha256:1', 'r/a:1', nothing)).toBe(false);
  expect(await later.allows('sha256:1', 'r/b:1', nothing)).toBe(true);
  await later.pullBegins('r/a:1');
  await later.pullEnded('r/a:1', false);
  expect(await later.allows('sha256:1', 'r/a:1', nothing)).toBe(false);
  await later.pullBegins('r/a:1');
  await later.notePulled('sha256:1', 'r/a:1', undefined);
  await later.pullEnded('r/a:1', true);
  expect(await open(directory, 'NeverVerifyPreloadedImages').allows('sha256:1', 'r/a:1', nothing)).toBe(true);
});

it('forgets what is gone, but nothing that has just come', async () => {
  const records = open(newDirectory(), 'NeverVerifyPreloadedImages');
  const mine: TrackedCredentials = {
    source: { kind: 'secret', namespace: 'n', name: 's', uid: '1' },
    credentials: { username: 'u', password: 'p', serverAddress: 'r' },
  };
  await records.notePulled('sha256:1', 'r/a:1', mine);
  await records.notePulled('sha256:2', 'r/b:1', mine);
  await records.forgetGone(async () => {
    await records.notePulled('sha256:3', 'r/c:1', mine);
    return new Set(['sha256:2']);
  });
  const allowed = await Promise.all(['1', '2', '3'].map((id, i) => records.allows(`sha256:${id}`, `r/${'abc'[i] ?? ''}:1`, nothing)));
  expect(allowed).toEqual([true, false, false]);
});

it('what could not be recorded for want of room is recorded the next time', async () => {
  const folder = path.join(newDirectory(), 'later');
  const mine: TrackedCredentials = {
    source: { kind: 'secret', namespace: 'n', name: 's', uid: '1' },
    credentials: { username: 'me', password: 'secret', serverAddress: 'r.example' },
  };
  const records = open(folder, 'NeverVerifyPreloadedImages');
  await expect(records.notePulled('sha256:1', 'r.example/a:1', mine)).rejects.toThrow('ENOENT');
  mkdirSync(folder);
  await records.notePulled('sha256:1', 'r.example/a:1', mine);
  expect(existsSync(path.join(folder, 'pulls.json'))).toBe(true);
  // Another kubelet would give the image to everybody, did it not know.
  const later = open(folder, 'NeverVerifyPreloadedImages');
  expect(await later.allows('sha256:1', 'r.example/a:1', nothing)).toBe(false);
  expect(await later.allows('sha256:1', 'r.example/a:1', async () => [mine])).toBe(true);
});
