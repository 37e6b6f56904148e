import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '@skiff/component-base';
import { RuntimeError } from '@skiff/cri';
import { createFakeRuntime } from '@skiff/cri/fake';
import type { TrackedCredentials } from './keyring.ts';
import { createPuller } from './puller.ts';
import { createRegistryMirrors, parseRegistryMirrors, sourcesOf } from './registry-mirrors.ts';

const head = 'apiVersion: kubelet.skiff.dev/v1\nkind: RegistryMirrors\n';
const digest = `@sha256:${'a'.repeat(64)}`;

describe('registry mirrors', () => {
  it.each([
    ['busybox', ['m.example/hub/library/busybox:latest'], true],
    ['docker.io/a/b:1', ['m.example/hub/a/b:1'], true],
    [`r.example:5000/a${digest}`, [`n.example:5001/a${digest}`, `m.example/a${digest}`], false],
    [`r.example:5000/a:2${digest}`, [`n.example:5001/a:2${digest}`, `m.example/a:2${digest}`], false],
    ['other.example/a:1', ['cache.example/a:1'], true],
    // No mirror of itself.
    ['cache.example/a:1', [], true],
  ])('%s comes from %j', (image, mirrors, origin) => {
    const registries = parseRegistryMirrors(
      `${head}registries:\n- { host: docker.io, mirrors: [{ host: m.example/hub }] }\n` +
        `- { host: "r.example:5000", origin: Never, mirrors: [{ host: "n.example:5001" }, { host: m.example, credentials: Origin }] }\n` +
        `- { host: "*", mirrors: [{ host: cache.example }] }\n`,
    );
    const found = sourcesOf(registries, image);
    expect(found.mirrors.map((m) => m.name)).toEqual(mirrors);
    expect(found.origin).toBe(origin);
  });

  it.each([
    ['kind: Pod', 'it is not a RegistryMirrors of kubelet.skiff.dev/v1'],
    [`${head}registries: [{ host: "https://x", mirrors: [] }]`, 'registries[0].host: must be'],
    [`${head}registries: [{ host: x, mirrors: [{ host: "http://m" }] }]`, 'registries[0].mirrors[0].host: must be host[:port][/path]'],
    [`${head}registries: [{ host: x, mirrors: [{ host: m, credentials: All }] }]`, '"All" is none of Own, Origin'],
    [`${head}registries: [{ host: x, mirror: [] }]`, 'registries[0]: unknown field "mirror"'],
    [`${head}registries: [{ host: x, mirrors: [] }, { host: x, mirrors: [] }]`, '"x" is there twice'],
  ])('refuses %j', (text, message) => {
    expect(() => parseRegistryMirrors(text)).toThrow(message);
  });

  it('reads the file again when it has changed', async () => {
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'mirrors-')), 'm.yaml');
    const sources = createRegistryMirrors(file);
    expect(await sources('a')).toEqual({ mirrors: [], origin: true });
    writeFileSync(file, `${head}registries: [{ host: docker.io, mirrors: [{ host: m }] }]`);
    expect((await sources('a')).mirrors).toHaveLength(1);
    writeFileSync(file, 'nonsense');
    await expect(sources('a')).rejects.toThrow(`${file}: it is not`);
  });
});

describe('puller', () => {
  const never = new AbortController().signal;
  const credentials = (user: string): TrackedCredentials => ({
    source: { kind: 'node' },
    credentials: { username: user, password: 'p', serverAddress: user },
  });
  function setUp(mirrors: readonly { name: string; originCredentials: boolean }[], origin = true) {
    const clock = new FakeClock();
    const { images } = createFakeRuntime({ clock, images: ['r.example/a:1', 'm2.example/a:1'] });
    const puller = createPuller({ maxParallelPulls: 1 }, { images, sources: async () => ({ mirrors, origin }), clock });
    const pull = () => puller.pull('r.example/a:1', async (name) => [credentials(name.split('/')[0] ?? '')], never);
    return { clock, images, pull };
  }
  const m1 = { name: 'm1.example/a:1', originCredentials: false };
  const m2 = { name: 'm2.example/a:1', originCredentials: false };

  it('lets go of a pod that ends while somebody is asked for credentials', async () => {
    const clock = new FakeClock();
    const { images } = createFakeRuntime({ clock, images: [] });
    const puller = createPuller({ maxParallelPulls: 1 }, { images, sources: async () => ({ mirrors: [], origin: true }), clock });
    const end = new AbortController();
    const pulled = puller.pull('r.example/a:1', () => new Promise(() => undefined), end.signal);
    end.abort(new Error('the pod ends'));
    await expect(pulled).rejects.toThrow('the pod ends');
  });

  it('asks mirrors in their order, each with credentials of its own', async () => {
    const { images, pull } = setUp([m1, m2]);
    const { used } = await pull();
    expect(used?.credentials.username).toBe('m2.example');
    expect(images.pulls.map((p) => [p.from, p.credentials?.username])).toEqual([
      ['m1.example/a:1', 'm1.example'],
      ['m2.example/a:1', 'm2.example'],
    ]);
    expect([...images.local]).toEqual(['r.example/a:1']);
  });

  it('shows the credentials of the origin to a mirror only when told to', async () => {
    const { images, pull } = setUp([{ ...m2, originCredentials: true }]);
    images.failures.set('m2.example/a:1', new RuntimeError('image-auth', 'unauthorized'));
    await pull();
    expect(images.pulls.map((p) => [p.from, p.credentials?.username])).toEqual([
      ['m2.example/a:1', 'm2.example'],
      ['m2.example/a:1', 'r.example'],
      [undefined, 'r.example'],
    ]);
  });

  it('says what all of them said, and lets a silent mirror rest', async () => {
    const { clock, images, pull } = setUp([m1]);
    images.registry.delete('r.example/a:1');
    images.failures.set('m1.example/a:1', new RuntimeError('registry-unavailable', 'connection refused'));
    await expect(pull()).rejects.toThrow('manifest for r.example/a:1 not found; mirror m1.example: connection refused');
    await expect(pull()).rejects.toThrow('manifest for r.example/a:1 not found');
    expect(images.pulls.map((p) => p.from)).toEqual(['m1.example/a:1', undefined, undefined]);
    await clock.advance(31_000);
    await expect(pull()).rejects.toThrow('mirror m1.example');
  });

  it('never asks an origin that must not be asked', async () => {
    const { images, pull } = setUp([m1], false);
    await expect(pull()).rejects.toThrow('manifest for m1.example/a:1 not found');
    expect(images.pulls.map((p) => p.from)).toEqual(['m1.example/a:1']);
  });
});
