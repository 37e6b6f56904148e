import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtinResources } from '@skiff/api';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { createMemoryStore } from '@skiff/storage';
import { describeDurableStore, describeRevisionedStore } from '@skiff/storage/conformance';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { request, startRegistry, stopRegistries } from '../registry/registry.fixture.ts';
import { withEncryption } from './encrypted-store.ts';
import { parseEncryptionConfig } from './encryption-config.ts';
import { type Encryption, openEncryption, resourceOfKey } from './encryption.ts';
import { aesGcm, isEncrypted, readThrough, writeThrough } from './transformers.ts';

const secret = Buffer.from('01234567890123456789012345678901').toString('base64');
const other = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef').toString('base64');
const config = (resources: string): string =>
  `kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n${resources}`;
const rule = (resource: string, ...providers: string[]): string =>
  `- resources: [${resource}]\n  providers: [${providers.map((p) => `{${p}}`).join(', ')}]\n`;
const key = (provider: string, name = 'k1', value = secret): string => `${provider}: {keys: [{name: ${name}, secret: "${value}"}]}`;

/** Written by kube-apiserver 1.36.2. */
const upstream = {
  aescbc: {
    key: '/registry/secrets/default/v',
    name: 'k1',
    value:
      'azhzOmVuYzphZXNjYmM6djE6azE6hT49HX/9bftEo0Kha9/D91zfL6Z4jJuJH/yAdbUTzc95/JlafBY/VSLwPve2JgjjinraDULPj23YgTjAK+IAkC2+N2VrZJA1SxzG17QaPVFIF6PNN6f89lv/sywSbGd8b67cZ09jQ031HanmTAYkttgun0UvoLfBZfFnvSI4TB2UXR3fQu0LIluxChUOElSomnehIamdok2YjRcClkb4profqTglbnN+dHqJaS8Jga//HV5SUDePoA419QRkl3dpJ0AYb4S8fe5SmOWdUyV4Tqmm5kLCHE1unjqNhv+hIyeVvkOR2K/wYK2BIwGb/gvL',
  },
  aesgcm: {
    key: '/registry/configmaps/default/v',
    name: 'g1',
    value:
      'azhzOmVuYzphZXNnY206djE6ZzE6I4wev1tHAuUvxPybUWQRWgCuy6obEIIErj2tOru/Bax3Ad2yV/fS48hJcrv3ddNpZK2YSmbPZq3YuF6L5RvnRwafNX6+jHemVyciFMHhemtnQpjFx+SjrVefdPNuAgx7KKWL7T1Ak5raYD56/ympWk7lT7mntBm5exGxKhoBX45BDnWGNQSGPHmM5vzId4KAGC/1YpJ3D9KuPYzCunhVAbTcs79D1qxWeOSHuBMqGV1V4DwItP1NbBMlrmvwUJOMBQMKaEVnMnmo9AwHKZSchGZqIW/+FIwunRdK/A==',
  },
  secretbox: {
    key: '/registry/controllerrevisions/default/v',
    name: 's1',
    value:
      'azhzOmVuYzpzZWNyZXRib3g6djE6czE6tuNyGP/YrDtikP95U+VhWNYka98ZGmdGMxRAZqJiEKy7iNb3dg6vi4XcULlgzEO0kSd1M6pOxFPijVQO8T4CTvP+J5cSMtmtNb3sGdAMqnNOqydvDqwTLDO2js4yihTLNAxFr3S9UufJhaiPj4Do/JiiuKvgrHQxM1jWiYCg4RKBsriHarcoB2t5EDvTLH7ZxJUCWgi+7znyM4D7/n71Axg+U0noBUFFncbD+ubkldrY6e65IgGCtbhJYLiEDmf9BpBvlx9bHwKHgQLgxZw3sBSdzB/h79nMvMoyCYN5p+VsKsC83LMtoR61FgRPMSWoEBu0Vgti2qyK3QTe78r7+e+znGJP+Ko++/W6WQ/T7aKZTrtXhwOIB21RCtf0ExitEvR5mG7wwcI3UQr3TqbDflANwLdro5u4xb/CyPz8WuzaqKf2FcBi3jAozdSWgGNZ9y1peTQYYEL0TqzjFANzgKQXDLGiEW0QlgQvuYlS78ogrP1qIYmPLJ+euPqEENfwuGOT4y7gxwgHsUTAu9dQS3PVkYxQIULrVsNTLlEOi//9U9Vd/dhhFyDkQwM5KzG1guWdnhPFnOvaZO1Wxck4MM7TDXza71YhHpbQtm4B3NLuV5mFomfIn97SWrh4HQXzTAhCKl5ZIg1KdaWHNm5fVqnq/okN5UtHdXIwlhi43su470v7BdAuBunC+NKuEsyc8F+k3MM37vr+HZHzD/9o39WHZF2+oOoKEC0m',
  },
} as const;

describe('encryption of values', () => {
  it.each(Object.keys(upstream) as (keyof typeof upstream)[])('%s: reads what upstream wrote', (provider) => {
    const u = upstream[provider];
    const chain = parseEncryptionConfig(config(rule('secrets', key(provider, u.name), 'identity: {}')))('', 'secrets');
    if (chain === undefined) throw new Error('no chain');
    const { value, isStale } = readThrough(chain, Buffer.from(u.value, 'base64'), u.key);
    expect(isStale).toBe(false);
    expect(value.subarray(0, 4).toString('latin1')).toBe('k8s\0');
    const again = writeThrough(chain, value, u.key);
    expect(again.toString('latin1')).toContain(`k8s:enc:${provider}:v1:${u.name}:`);
    expect(again.equals(Buffer.from(u.value, 'base64'))).toBe(false);
    expect(readThrough(chain, again, u.key).value).toEqual(value);
  });

  it('aesgcm: a value that was moved or changed is refused', () => {
    const gcm = aesGcm('a', Buffer.from(secret, 'base64'));
    const data = gcm.write(Buffer.from('text'), '/a');
    expect(gcm.read(data, '/a').toString()).toBe('text');
    expect(() => gcm.read(data, '/b')).toThrow();
    data[13] = (data[13] ?? 0) ^ 1;
    expect(() => gcm.read(data, '/a')).toThrow();
  });

  it('reads with any key, and calls stale what the first did not write', () => {
    const old = parseEncryptionConfig(config(rule('secrets', key('aescbc', 'old'))))('', 'secrets');
    const both = parseEncryptionConfig(config(rule('secrets', key('aescbc', 'new', other), key('aescbc', 'old'), 'identity: {}')))(
      '',
      'secrets',
    );
    const away = parseEncryptionConfig(config(rule('secrets', 'identity: {}', key('aescbc', 'old'))))('', 'secrets');
    if (old === undefined || both === undefined || away === undefined) throw new Error('no chain');
    const stored = writeThrough(old, Buffer.from('{}'), '/a');
    expect(readThrough(both, stored, '/a')).toEqual({ value: Buffer.from('{}'), isStale: true });
    expect(readThrough(both, Buffer.from('{}'), '/a')).toEqual({ value: Buffer.from('{}'), isStale: true });
    expect(readThrough(away, stored, '/a')).toEqual({ value: Buffer.from('{}'), isStale: true });
    expect(readThrough(away, Buffer.from('{}'), '/a').isStale).toBe(false);
    expect(() => readThrough(old, Buffer.from('{}'), '/a')).toThrow('no matching prefix found');
  });
});

describe('EncryptionConfiguration', () => {
  it.each([
    ['secrets', '', 'secrets', true],
    ['secrets', '', 'configmaps', false],
    ['deployments.apps', 'apps', 'deployments', true],
    ["'*.apps'", 'apps', 'daemonsets', true],
    ["'*.apps'", '', 'secrets', false],
    ["'*.'", '', 'secrets', true],
    ["'*.'", 'apps', 'deployments', false],
    ["'*.*'", 'example.com', 'things', true],
  ])('%s covers %s/%s: %s', (pattern, group, resource, covered) => {
    expect(parseEncryptionConfig(config(rule(pattern, key('aescbc'))))(group, resource) !== undefined).toBe(covered);
  });

  it.each([
    [rule('secrets', 'aescbc: {keys: []}'), 'at least one keys is required'],
    [rule('secrets', key('aescbc', 'a', 'c2hvcnQ=')), 'got 5, expected one of [16 24 32]'],
    [rule('secrets', key('secretbox', 'a', Buffer.alloc(16).toString('base64'))), 'got 16, expected one of [32]'],
    [rule('secrets', key('aescbc', 'a', '!!!')), 'must be base64'],
    [rule('secrets', 'kms: {name: a}'), 'not supported'],
    [rule('secrets', 'rot13: {}'), 'does not contain any of the expected providers'],
    [rule('"*"', key('aescbc')), "use '*.'"],
    [rule('Secrets', key('aescbc')), 'capital letters'],
    [rule("secrets, '*.'", key('aescbc')), 'overlapping'],
    [rule('secrets, secrets', key('aescbc')), 'multiple times'],
    [rule("'*.*'", key('aescbc')) + rule('secrets', key('aescbc')), 'masked by earlier rule "*.*"'],
    [rule('events.events.k8s.io', key('aescbc')), "Use 'events' instead"],
    ['  []', 'at least one resources'],
  ])('refuses %j', (resources, message) => {
    expect(() => parseEncryptionConfig(config(resources))).toThrow(message);
  });

  it('never repeats a secret', () => {
    const text = config(rule('secrets', key('aescbc', 'a', 'canary-of-a-secret')));
    for (const bad of [text, `${text}\n}{`]) {
      const error = ((): Error | undefined => {
        try {
          parseEncryptionConfig(bad);
        } catch (e) {
          return e as Error;
        }
      })();
      expect(error).toBeDefined();
      expect(String(error?.stack)).not.toContain('canary');
    }
  });

  it.each([
    ['/registry/secrets/a/b', '', 'secrets'],
    ['/registry/services/specs/a/b', '', 'services'],
    ['/registry/minions/n', '', 'nodes'],
    ['/registry/deployments/a/b', 'apps', 'deployments'],
    ['/registry/apiextensions.k8s.io/customresourcedefinitions/x', 'apiextensions.k8s.io', 'customresourcedefinitions'],
    ['/registry/example.com/things/a/b', 'example.com', 'things'],
    ['/registry/events/a/b', '', 'events'],
  ])('knows what lies at %s', (at, group, resource) => {
    expect(resourceOfKey(builtinResources, '/registry/')(at)).toEqual({ group, resource });
  });
});

const everything: Encryption = {
  chainFor: () => parseEncryptionConfig(config(rule('secrets', key('aesgcm'))))('', 'secrets'),
  follow: () => Promise.resolve(),
  onChange: () => undefined,
};
describeDurableStore('encrypted memory', async () => ({
  open: () => withEncryption(createMemoryStore(), everything),
  [Symbol.asyncDispose]: async () => undefined,
}));
describeRevisionedStore('encrypted memory', async () => {
  const store = createMemoryStore();
  return { open: () => withEncryption(store, everything), [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
});

describe('a server whose store is encrypted', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-encryption-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  afterEach(stopRegistries);

  it('writes objects anew with the first key when nothing else changes, after the file has changed', async () => {
    const file = join(folder, 'config.yaml');
    const clock = new FakeClock();
    writeFileSync(file, config(rule('secrets', key('aescbc', 'one'), 'identity: {}')));
    const encryption = openEncryption(
      { file, reload: true, root: '/registry/' },
      { definitions: builtinResources, clock, log: silentLogger },
    );
    const stop = new AbortController();
    const following = encryption.follow(stop.signal);
    const raw = createMemoryStore();
    const registry = await startRegistry(withEncryption(raw, encryption));
    const endpoint = registry.lookup('', 'v1', 'secrets', '');
    const body = { kind: 'Secret', apiVersion: 'v1', metadata: { name: 's' }, data: { a: 'Y2FuYXJ5' } };
    await endpoint?.create?.(request({ verb: 'create', resource: 'secrets', namespace: 'default', body }));
    const stored = async (): Promise<Buffer> => (await raw.get('/registry/secrets/default/s')).entry?.value ?? Buffer.alloc(0);
    const replace = async (): Promise<void> => {
      await endpoint?.update?.(request({ verb: 'update', resource: 'secrets', namespace: 'default', name: 's', body }));
    };
    const first = await stored();
    expect(isEncrypted(first)).toBe(true);
    await replace();
    expect(await stored()).toEqual(first);

    writeFileSync(file, 'nothing: [good');
    await clock.advance(5_000);
    await replace();
    expect(await stored()).toEqual(first);

    writeFileSync(file, config(rule('secrets', key('aescbc', 'two', other), key('aescbc', 'one'))));
    await expect
      .poll(async () => {
        await clock.advance(5_000);
        return encryption.chainFor('/registry/secrets/default/s')?.[0].prefix.toString();
      })
      .toBe('k8s:enc:aescbc:v1:two:');
    await replace();
    expect((await stored()).toString('latin1')).toContain('k8s:enc:aescbc:v1:two:');
    const read = await endpoint?.get?.(request({ verb: 'get', resource: 'secrets', namespace: 'default', name: 's' }));
    expect(Buffer.concat([...(read?.body ?? [])]).toString()).toContain('Y2FuYXJ5');

    // Without the key, this object can't be read, and others can.
    const map = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'm' } };
    await registry
      .lookup('', 'v1', 'configmaps', '')
      ?.create?.(request({ verb: 'create', resource: 'configmaps', namespace: 'default', body: map }));
    const keyless = await startRegistry(raw);
    const get = (resource: string, name: string) =>
      keyless.lookup('', 'v1', resource, '')?.get?.(request({ verb: 'get', resource, namespace: 'default', name }));
    await expect(get('secrets', 's')).rejects.toMatchObject({
      message: expect.stringContaining('no key that this server has opens it') as string,
    });
    expect((await get('configmaps', 'm'))?.code).toBe(200);
    stop.abort();
    await following;
  });

  it('reads what it could not read before, once it is given the key', async () => {
    const file = join(folder, 'later.yaml');
    const clock = new FakeClock();
    const raw = createMemoryStore();
    const [key1, key2] = [key('aesgcm', 'one'), key('aesgcm', 'two', other)];
    const chain = parseEncryptionConfig(config(rule('secrets', key2)))('', 'secrets');
    if (chain === undefined) throw new Error('no chain');
    const at = '/registry/secrets/default/s';
    const value = '{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s","namespace":"default","uid":"u"},"data":{"a":"Y2FuYXJ5"}}';
    await raw.put(at, writeThrough(chain, Buffer.from(value), at), { expected: 0 });

    writeFileSync(file, config(rule('secrets', key1)));
    const encryption = openEncryption(
      { file, reload: true, root: '/registry/' },
      { definitions: builtinResources, clock, log: silentLogger },
    );
    const stop = new AbortController();
    const following = encryption.follow(stop.signal);
    const registry = await startRegistry(withEncryption(raw, encryption));
    const secrets = registry.lookup('', 'v1', 'secrets', '');
    const read = async (): Promise<string> => {
      const response = await secrets?.get?.(
        request({ verb: 'get', resource: 'secrets', namespace: 'default', name: 's', query: 'resourceVersion=0' }),
      );
      return Buffer.concat([...(response?.body ?? [])]).toString();
    };
    await expect(read()).rejects.toMatchObject({ message: expect.stringContaining('no key that this server has') as string });
    writeFileSync(file, config(rule('secrets', key1, key2)));
    await expect
      .poll(async () => {
        await clock.advance(5_000);
        return read().catch(() => '');
      })
      .toContain('Y2FuYXJ5');
    stop.abort();
    await following;
  });
});
