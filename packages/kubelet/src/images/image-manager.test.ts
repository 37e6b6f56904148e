import { mkdtempSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { RuntimeError } from '@skiff/cri';
import { createFakeRuntime } from '@skiff/cri/fake';
import { BackOff } from './back-off.ts';
import { formatGoDuration } from './go-duration.ts';
import { createImageManager } from './image-manager.ts';
import { createPullRecords } from './pull-records.ts';
import { openRecords } from './pull-records.fixture.ts';
import { verificationPolicy } from './verification-policy.ts';
import { keyringOf, lookUp, repositoryOf } from './keyring.ts';

const never = new AbortController().signal;
const originOnly = async () => ({ mirrors: [], origin: true });

function setUp() {
  const clock = new FakeClock();
  const { images } = createFakeRuntime({ clock, images: ['busybox', 'here'] });
  images.local.add('here');
  const manager = createImageManager(
    { maxParallelPulls: 2 },
    { images, clock, records: openRecords, sources: originOnly, onPulled: () => undefined },
  );
  const events: string[] = [];
  const ensure = (image: string, policy: string) =>
    manager.ensure({
      podUid: 'u',
      image,
      policy,
      credentials: async () => [],
      event: (_t, reason, message) => events.push(`${reason}: ${message}`),
      signal: never,
    });
  return { clock, images, ensure, events };
}

describe('image manager', () => {
  it('follows the pull policy', async () => {
    const { ensure, events, images } = setUp();
    expect(await ensure('here', 'IfNotPresent')).toMatchObject({ ok: true });
    expect(await ensure('none', 'Never')).toMatchObject({ ok: false, reason: 'ErrImageNeverPull' });
    expect(images.pulls).toEqual([]);
    expect(await ensure('busybox', 'Always')).toMatchObject({ ok: true });
    expect(await ensure('Not Valid', 'Always')).toMatchObject({ ok: false, reason: 'InvalidImageName' });
    expect(events.slice(0, 3)).toEqual([
      'Pulled: Container image "here" already present on machine and can be accessed by the pod',
      'ErrImageNeverPull: Container image "none" is not present with pull policy of Never',
      'Pulling: Pulling image "busybox"',
    ]);
  });

  it('backs off, and says so', async () => {
    const { clock, ensure, events, images } = setUp();
    images.failures.set('busybox', new RuntimeError('image-pull', 'oh no'));
    expect(await ensure('busybox', 'Always')).toMatchObject({ reason: 'ErrImagePull', message: 'oh no' });
    expect(await ensure('busybox', 'Always')).toMatchObject({
      reason: 'ImagePullBackOff',
      message: 'Back-off pulling image "busybox": ErrImagePull: oh no',
    });
    await clock.advance(10_000);
    expect(await ensure('busybox', 'Always')).toMatchObject({ reason: 'ErrImagePull' });
    await clock.advance(10_000);
    expect(await ensure('busybox', 'Always')).toMatchObject({ reason: 'ImagePullBackOff' });
    images.failures.clear();
    await clock.advance(10_000);
    expect(await ensure('busybox', 'Always')).toMatchObject({ ok: true });
    expect(events.filter((e) => e.startsWith('BackOff'))).toHaveLength(2);
  });
});

describe('back-off', () => {
  it('doubles to its limit and forgets after a quiet time', async () => {
    const clock = new FakeClock();
    const b = new BackOff({ initialMs: 10_000, maxMs: 300_000, clock });
    const seen: number[] = [];
    for (let i = 0; i < 7; i++) {
      b.next('k', clock.now());
      seen.push(b.delayMs('k') / 1000);
      await clock.advance(b.delayMs('k'));
    }
    expect(seen).toEqual([10, 20, 40, 80, 160, 300, 300]);
    await clock.advance(700_000);
    b.next('k', clock.now());
    expect(b.delayMs('k')).toBe(10_000);
  });
});

describe('keyring', () => {
  const secret = (auths: object) => ({
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
  });
  it('finds the most specific credentials', () => {
    const ring = keyringOf([
      secret({
        'https://index.docker.io/v1/': { auth: Buffer.from('hub:pw').toString('base64') },
        'r.example.com': { username: 'a', password: 'b' },
      }),
      secret({ 'r.example.com/team': { username: 't', password: 'b' }, '*.wild.io': { username: 'w', password: 'b' } }),
    ]);
    const users = (image: string): string[] => lookUp(ring, image).map((c) => c.credentials.username);
    expect(users('busybox')).toEqual(['hub']);
    expect(users('r.example.com/team/app:1')).toEqual(['t', 'a']);
    expect(users('r.example.com/other')).toEqual(['a']);
    expect(users('x.wild.io/a')).toEqual(['w']);
    expect(users('x.y.wild.io/a')).toEqual([]);
    expect(repositoryOf('localhost:5000/a@sha256:1')).toBe('localhost:5000/a');
  });
});

it('prints durations as Go does', () => {
  expect([0, 5, 345, 1000, 1250, 62_003, 3_600_000].map(formatGoDuration)).toEqual([
    '0s',
    '5ms',
    '345ms',
    '1s',
    '1.25s',
    '1m2.003s',
    '1h0m0s',
  ]);
});

it('a private image is for those who could fetch it, also when it is there already', async () => {
  const clock = new FakeClock();
  const { images } = createFakeRuntime({ clock, images: ['r.example/secret:1', 'r.example/public:1'] });
  images.local.add('made-here:1');
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'records-')), 'pulls.json');
  const pull = images.pullImage.bind(images);
  const guarded = {
    ...images,
    pullImage: async (...args: Parameters<typeof pull>) => {
      if (args[0].includes('secret') && args[1]?.password !== 'right') throw new RuntimeError('image-auth', 'unauthorized');
      return pull(...args);
    },
  };
  const policy = verificationPolicy('NeverVerifyPreloadedImages', []);
  const source = { kind: 'secret', uid: '1', namespace: 'n', name: 's' } as const;
  const ensure = (image: string, password: string | undefined, pullPolicy = 'IfNotPresent', uid = password ?? '') =>
    createImageManager(
      { maxParallelPulls: 2 },
      {
        images: guarded,
        clock,
        records: createPullRecords({ file, intentsFile: `${file}.begun`, policy }, silentLogger),
        sources: originOnly,
        onPulled: () => undefined,
      },
    ).ensure({
      podUid: 'u',
      image,
      policy: pullPolicy,
      credentials: async () =>
        password === undefined
          ? []
          : [{ source: { ...source, uid }, credentials: { username: 'u', password, serverAddress: 'r.example' } }],
      event: () => undefined,
      signal: never,
    });
  expect(await ensure('r.example/secret:1', undefined)).toMatchObject({ ok: false, reason: 'ErrImagePull' });
  expect(await ensure('r.example/secret:1', 'right')).toMatchObject({ ok: true });
  const { length } = images.pulls;
  expect(await ensure('r.example/secret:1', 'right')).toMatchObject({ ok: true });
  expect(images.pulls.length).toBe(length);
  expect(await ensure('r.example/secret:1', undefined)).toMatchObject({ ok: false, reason: 'ErrImagePull' });
  expect(await ensure('r.example/secret:1', 'wrong')).toMatchObject({ ok: false, reason: 'ErrImagePull' });
  expect(await ensure('r.example/secret:1', undefined, 'Never')).toMatchObject({ ok: false, reason: 'ErrImageNeverPull' });
  expect(await ensure('r.example/public:1', undefined)).toMatchObject({ ok: true });
  expect(await ensure('r.example/public:1', 'wrong')).toMatchObject({ ok: true });
  expect(await ensure('made-here:1', undefined)).toMatchObject({ ok: true });
  // The Secret that opened it does so with what it holds now, too.
  expect(await ensure('r.example/secret:1', 'changed', 'Never', 'right')).toMatchObject({ ok: true });
  expect(await ensure('r.example/secret:1', 'changed', 'Never', 'another')).toMatchObject({ ok: true });
  expect(await ensure('r.example/secret:1', 'other', 'Never', 'another-one')).toMatchObject({ ok: false });
  expect(readFileSync(file, 'utf8')).not.toMatch(/"(right|changed)"/);
});
