import type { Secret } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { RegistryCredentials } from '@skiff/cri';

/** Where credentials come from: the node's own are every pod's. */
export type CredentialSource =
  | { readonly kind: 'node' }
  | { readonly kind: 'secret' | 'serviceAccount'; readonly uid: string; readonly namespace: string; readonly name: string };

export interface TrackedCredentials {
  readonly credentials: RegistryCredentials;
  readonly source: CredentialSource;
}

interface Entry extends TrackedCredentials {
  /** `host[:port][/path]`, with `*` in host labels. */
  readonly pattern: string;
}

/** Credentials, looked up by image name. */
export type Keyring = readonly Entry[];

interface DockerAuth {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
}

const normalize = (server: string): string => {
  const bare = server.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  // Docker Hub's key is a URL of its old API.
  return bare === 'index.docker.io/v1' || bare === 'index.docker.io' ? 'docker.io' : bare.replace(/\/v[12]$/, '');
};

export function parseDockerAuths(auths: Readonly<Record<string, DockerAuth>>, source: CredentialSource): Keyring {
  return Object.entries(auths).map(([server, a]) => {
    const pair = a.auth === undefined || a.auth === '' ? undefined : Buffer.from(a.auth, 'base64').toString();
    const colon = pair?.indexOf(':') ?? -1;
    const username = a.username ?? (pair === undefined ? '' : pair.slice(0, colon));
    const password = a.password ?? (pair === undefined ? '' : pair.slice(colon + 1));
    return {
      pattern: normalize(server),
      credentials: { username, password, serverAddress: server, ...(a.identitytoken ? { identityToken: a.identitytoken } : {}) },
      source,
    };
  });
}

/** Secrets of other types hold no credentials. Throws when their content is no JSON. */
export function keyringOf(secrets: readonly DeepReadonly<Secret>[]): Keyring {
  return secrets.flatMap((s): Keyring => {
    const { uid = '', namespace = '', name = '' } = s.metadata ?? {};
    const source: CredentialSource = { kind: 'secret', uid, namespace, name };
    const modern = s.data?.['.dockerconfigjson'];
    const legacy = s.data?.['.dockercfg'];
    const parse = (base64: string): unknown => JSON.parse(Buffer.from(base64, 'base64').toString());
    if (s.type === 'kubernetes.io/dockerconfigjson' && modern !== undefined) {
      return parseDockerAuths((parse(modern) as { auths?: Record<string, DockerAuth> }).auths ?? {}, source);
    }
    if (s.type === 'kubernetes.io/dockercfg' && legacy !== undefined)
      return parseDockerAuths(parse(legacy) as Record<string, DockerAuth>, source);
    return [];
  });
}

/** Whether `host/path` of an image is what a pattern means: labels of the host by globs, the path by its beginning. */
export function matchesRepository(pattern: string, repository: string): boolean {
  const [patternHost = '', ...patternPath] = pattern.split('/');
  const [host = '', ...path] = repository.split('/');
  const expected = patternHost.split('.');
  const actual = host.split('.');
  if (expected.length !== actual.length) return false;
  const globs = expected.every((part, i) =>
    new RegExp(`^${part.replace(/[-/\\^$+?.()|[\]{}]/g, '\\$&').replaceAll('*', '[^.]*')}$`).test(actual[i] ?? ''),
  );
  return globs && path.join('/').startsWith(patternPath.join('/'));
}

/** `host/path` of an image, `docker.io/library/…` for short names. */
export function repositoryOf(image: string): string {
  const bare = (image.split('@')[0] ?? image).replace(/:[^:/]*$/, '');
  const first = bare.split('/')[0] ?? '';
  const hasHost = bare.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  if (hasHost) return bare.replace(/^index\.docker\.io\//, 'docker.io/');
  return `docker.io/${bare.includes('/') ? bare : `library/${bare}`}`;
}

/** Fitting credentials, the most specific first. */
export function lookUp(keyring: Keyring, image: string): readonly TrackedCredentials[] {
  const repository = repositoryOf(image);
  return keyring
    .filter((e) => matchesRepository(e.pattern, repository))
    .sort((a, b) => b.pattern.length - a.pattern.length)
    .map(({ credentials, source }) => ({ credentials, source }));
}
