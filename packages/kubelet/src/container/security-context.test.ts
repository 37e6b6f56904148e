import type { Image } from '@skiff/cri';
import type { Container, PodSpec } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { fakePod, snapshot } from '../pod/pod-context.fixture.ts';
import { computeSecurityContext, ignoredSELinuxOptions } from './security-context.ts';

const image = (user: Pick<Image, 'uid' | 'username'>): Image => ({
  id: 'sha256:1',
  repoTags: ['i:1'],
  repoDigests: [],
  sizeBytes: 1,
  imageId: 'i',
  volumes: [],
  ...user,
});
const compute = (
  own: Container['securityContext'],
  o: { shared?: PodSpec['securityContext']; user?: Pick<Image, 'uid' | 'username'> } = {},
) => {
  const c: Container = { name: 'c', image: 'i:1', ...(own === undefined ? {} : { securityContext: own }) };
  const pod = snapshot(fakePod({ containers: [c], ...(o.shared === undefined ? {} : { securityContext: o.shared }) }));
  return computeSecurityContext(pod, c, {
    seccompDirectory: '/profiles',
    seccompDefault: false,
    seLinuxEnabled: true,
    image: image(o.user ?? {}),
  });
};

// CVE-2019-11245: such a container ran as root from its second start on.
describe('a container that must not run as root', () => {
  it.each([
    ['an image that names no user', {}, 'image will run as root'],
    ['an image whose user is root', { uid: 0 }, 'image will run as root'],
    ['an image whose user has a name', { username: 'app' }, 'non-numeric user (app)'],
  ])('is not started from %s', (_, user, text) => {
    expect(() => compute({ runAsNonRoot: true }, { user })).toThrow(text);
    expect(() => compute(undefined, { user, shared: { runAsNonRoot: true } })).toThrow(text);
  });
  it('is asked about each image, so that one that changed is refused at the next start', () => {
    expect(compute({ runAsNonRoot: true }, { user: { uid: 1000 } }).runAsUser).toBeUndefined();
    expect(() => compute({ runAsNonRoot: true }, { user: { uid: 0 } })).toThrow('image will run as root');
  });
  it('may not ask for user 0 itself', () => {
    expect(() => compute({ runAsNonRoot: true, runAsUser: 0 }, { user: { uid: 5 } })).toThrow('runAsUser breaks non-root policy');
    expect(() => compute({ runAsUser: 0 }, { shared: { runAsNonRoot: true, runAsUser: 7 } })).toThrow('runAsUser breaks non-root policy');
    expect(compute({ runAsNonRoot: false, runAsUser: 0 }, { shared: { runAsNonRoot: true } }).runAsUser).toBe(0);
  });
});

// CVE-2023-2431: an empty name made the container unconfined.
describe('a profile of the node', () => {
  it.each([undefined, '', '.'])('must have a name: %j is refused', (localhostProfile) => {
    const profile = { type: 'Localhost', ...(localhostProfile === undefined ? {} : { localhostProfile }) };
    expect(() => compute({ seccompProfile: profile })).toThrow('localhostProfile');
    expect(() => compute(undefined, { shared: { seccompProfile: profile } })).toThrow('localhostProfile');
    if (localhostProfile !== '.') expect(() => compute({ appArmorProfile: profile })).toThrow('localhostProfile must be set');
  });
  it('lies in the directory of profiles', () => {
    expect(() => compute({ seccompProfile: { type: 'Localhost', localhostProfile: '../../etc/passwd' } })).toThrow('outside');
    expect(compute({ seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' } }).seccomp).toEqual({
      type: 'Localhost',
      localhostPath: '/profiles/a/b.json',
    });
  });
});

it('SELinux options where the host has no SELinux are not ignored in silence', () => {
  const seLinuxOptions = { level: 's0:c1' };
  const told = (shared: PodSpec['securityContext'], own: Container['securityContext'], seLinuxEnabled = false) => {
    const containers = [
      { name: 'c', image: 'i:1', securityContext: own ?? {} },
      { name: 'd', image: 'i:1' },
    ];
    return ignoredSELinuxOptions(snapshot(fakePod({ containers, securityContext: shared ?? {} })), { seLinuxEnabled });
  };
  expect(told({ seLinuxOptions }, {})).toBe(
    "seLinuxOptions have no effect: SELinux is not enabled on the host, or can't be seen from the kubelet",
  );
  expect(told({}, { seLinuxOptions })).toBe(
    "seLinuxOptions of c have no effect: SELinux is not enabled on the host, or can't be seen from the kubelet",
  );
  expect(told({}, {})).toBeUndefined();
  expect(told({ seLinuxOptions }, {}, true)).toBeUndefined();
});
