import { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { createCredentialProviders } from './credential-providers.ts';
import { parseProviderConfig, type ProviderConfig, readProviderConfig } from './provider-config.ts';
import { parseAnswer, type ProviderAnswer, runPlugin } from './run-plugin.ts';

const protocol = 'credentialprovider.kubelet.k8s.io/v1';
const render = (provider: string): string =>
  `apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- ${provider}\n`;
const plain = `{ name: p, apiVersion: ${protocol}, matchImages: ["*.example"], defaultCacheDuration: 10m }`;

describe('CredentialProviderConfig', () => {
  it.each([
    ['{ name: a/b }', "provider name cannot be '.' or '..', or contain '/' or spaces"],
    [plain.replace('/v1,', '/v9,'), 'providers[0].apiVersion: Unsupported value'],
    [plain.replace('"*.example"', ''), 'at least 1 item in matchImages is required'],
    [plain.replace('10m', '-1s'), 'must be greater than or equal to 0'],
    [plain.replace('name: p', 'nom: p'), 'unknown field "providers[0].nom"'],
    [
      plain.replace(' }', ', tokenAttributes: { serviceAccountTokenAudience: a, requireServiceAccount: true } }'),
      'cacheType: must be one of ServiceAccount, Token',
    ],
  ])('refuses %s', (provider, message) => {
    expect(() => parseProviderConfig(render(provider))).toThrow(message);
  });

  it('merges the files of a directory, whose programs have to be there', () => {
    const directory = mkdtempSync(path.join(os.tmpdir(), 'providers-'));
    mkdirSync(path.join(directory, 'bin'));
    writeFileSync(path.join(directory, 'a.yaml'), render(plain));
    writeFileSync(path.join(directory, 'b.yaml'), render(plain.replace('name: p', 'name: q')));
    for (const name of ['p', 'q']) writeFileSync(path.join(directory, 'bin', name), '');
    expect(() => readProviderConfig(directory, path.join(directory, 'bin'))).toThrow('permission denied');
    for (const name of ['p', 'q']) chmodSync(path.join(directory, 'bin', name), 0o755);
    expect(readProviderConfig(directory, path.join(directory, 'bin')).map((p) => p.name)).toEqual(['p', 'q']);
  });
});

const answer = (over: Partial<ProviderAnswer> = {}): ProviderAnswer => ({
  cacheKeyType: 'Image',
  cacheMs: undefined,
  auth: { 'r.example': { username: 'u', password: 'p' } },
  ...over,
});

function setUp(provider: string, say: ProviderAnswer) {
  const clock = new FakeClock();
  const asked: unknown[] = [];
  const providers = createCredentialProviders(parseProviderConfig(render(provider)), {
    run: async (_p, request) => {
      asked.push(request);
      return say;
    },
    serviceAccount: async () => ({ uid: 'sa', annotations: { 'x/a': '1', other: '2' } }),
    token: async (user, audience) => `${audience}-${user.uid}`,
    clock,
    log: silentLogger,
  });
  const users = async (image: string, uid = '1', serviceAccountName = 'default'): Promise<readonly string[]> =>
    (await providers.credentials(image, { namespace: 'n', name: 'pod', uid, serviceAccountName })).map(
      (c) => `${c.source.kind} ${c.credentials.username}`,
    );
  return { clock, asked, users };
}

describe('credential providers', () => {
  it('are asked for the images that they match, and their answers are kept', async () => {
    const { clock, asked, users } = setUp(plain, answer());
    expect(await users('r.example/a:1')).toEqual(['node u']);
    expect(await users('r.example/a:2')).toEqual(['node u']);
    expect(await users('busybox')).toEqual([]);
    expect(asked).toEqual([{ image: 'r.example/a' }]);
    await users('r.example/b');
    expect(asked).toHaveLength(2);
    await clock.advance(600_001);
    await users('r.example/a');
    expect(asked).toHaveLength(3);
  });

  it.each([
    ['Registry', undefined, 2],
    ['Global', undefined, 1],
    ['Global', 0, 3],
  ] as const)('keep answers for %s %s', async (cacheKeyType, cacheMs, times) => {
    const { asked, users } = setUp(plain, answer({ cacheKeyType, cacheMs }));
    for (const image of ['r.example/a', 'r.example/b', 's.example/a']) await users(image);
    expect(asked).toHaveLength(times);
  });

  const withToken = (more: string): string =>
    plain.replace(' }', `, tokenAttributes: { serviceAccountTokenAudience: aud, requireServiceAccount: true, ${more} } }`);
  it('get a token of the pod and what its ServiceAccount says', async () => {
    const { asked, users } = setUp(withToken('cacheType: ServiceAccount, requiredServiceAccountAnnotationKeys: [x/a]'), answer());
    expect(await users('r.example/a')).toEqual(['serviceAccount u']);
    expect(await users('r.example/a', '2')).toEqual(['serviceAccount u']);
    expect(await users('r.example/a', '3', '')).toEqual([]);
    expect(asked).toEqual([{ image: 'r.example/a', serviceAccountToken: 'aud-1', serviceAccountAnnotations: { 'x/a': '1' } }]);
  });
  it('are not asked when the ServiceAccount lacks an annotation', async () => {
    const { asked, users } = setUp(withToken('cacheType: ServiceAccount, requiredServiceAccountAnnotationKeys: [x/b]'), answer());
    expect(await users('r.example/a')).toEqual([]);
    expect(asked).toEqual([]);
  });
  it('may hand the token back only where answers are kept by token', async () => {
    const echo = answer({ auth: { 'r.example': { username: 'u', password: 'aud-1' } } });
    expect(await setUp(withToken('cacheType: ServiceAccount'), echo).users('r.example/a')).toEqual([]);
    const { asked, users } = setUp(withToken('cacheType: Token'), echo);
    expect(await users('r.example/a')).toEqual(['serviceAccount u']);
    await users('r.example/a', '2');
    expect(asked).toHaveLength(2);
  });
});

/** A letter as of ps; '' when there is no such process. */
function stateOf(pid: number): string {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

describe('runPlugin', () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'plugin-'));
  const plugin = (script: string): ProviderConfig => {
    writeFileSync(path.join(directory, 'p'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return { name: 'p', matchImages: [], defaultCacheMs: 0, apiVersion: protocol, args: ['x'], env: { MINE: 'y' }, token: undefined };
  };
  it('hands over the request, arguments and environment', async () => {
    const p = plugin(
      `read -r line; case "$line" in *'"image":"r/a"'*) ;; *) exit 3;; esac
echo '{"kind":"CredentialProviderResponse","apiVersion":"${protocol}","cacheKeyType":"Image","cacheDuration":"5m0s","auth":{"r":{"username":"'$1'","password":"'$MINE'"}}}'`,
    );
    expect(await runPlugin(p, { binDirectory: directory, request: { image: 'r/a' } })).toEqual({
      cacheKeyType: 'Image',
      cacheMs: 300_000,
      auth: { r: { username: 'x', password: 'y' } },
    });
  });
  it('says why one failed', async () => {
    const p = plugin('echo "no luck" >&2; exit 4');
    await expect(runPlugin(p, { binDirectory: directory, request: { image: 'r/a' } })).rejects.toThrow('exit status 4: no luck');
  });
  it('ends one that hangs together with what it started', async () => {
    const file = path.join(directory, 'pid');
    const p = plugin(`sleep 600 & echo $! > ${file}; wait`);
    const o = { binDirectory: directory, request: { image: 'r/a' }, limitMs: 2_000 };
    await expect(runPlugin(p, o)).rejects.toThrow('ended by SIGKILL');
    const child = Number(readFileSync(file, 'utf8'));
    // Gone, or waiting for somebody to take note of its end.
    await vi.waitFor(() => expect(stateOf(child)).toMatch(/^[ZX]?$/), 20_000);
  });
  it('does not wait for what one leaves running', async () => {
    const file = path.join(directory, 'pid');
    const p = plugin(
      `sleep 600 & echo $! > ${file}
echo '{"kind":"CredentialProviderResponse","apiVersion":"${protocol}","cacheKeyType":"Image"}'`,
    );
    const { cacheKeyType } = await runPlugin(p, { binDirectory: directory, request: { image: 'r/a' } });
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
    expect(cacheKeyType).toBe('Image');
  });
  it.each(['secret{', '{"kind":"X","apiVersion":"credentialprovider.kubelet.k8s.io/v1"}', '{"kind":"CredentialProviderResponse"}'])(
    'refuses the answer %s without repeating it',
    (text) => {
      expect(() => parseAnswer(text, protocol)).toThrow(/^(?!.*secret).*response/);
    },
  );
});
