import type { Clock, Logger } from '@skiff/component-base';
import { matchesRepository, parseDockerAuths, lookUp, repositoryOf, type CredentialSource, type TrackedCredentials } from '../keyring.ts';
import type { ProviderConfig } from './provider-config.ts';
import type { ProviderAnswer, ProviderRequest } from './run-plugin.ts';

/** The pod an image is for. */
export interface ImageUser {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccountName: string;
}

export interface CredentialProviders {
  /** What plugins have for an image. One that fails is logged, and has nothing. */
  credentials(image: string, user: ImageUser): Promise<readonly TrackedCredentials[]>;
}

interface Cached {
  readonly answer: ProviderAnswer;
  readonly untilMs: number;
}

interface Account {
  readonly source: CredentialSource;
  readonly request: Pick<ProviderRequest, 'serviceAccountToken' | 'serviceAccountAnnotations'>;
  /** Distinguishes what is kept for one from what is kept for others. */
  readonly cacheKey: string;
}

const maxCached = 1000;

export function createCredentialProviders(
  providers: readonly ProviderConfig[],
  deps: {
    readonly run: (p: ProviderConfig, request: ProviderRequest) => Promise<ProviderAnswer>;
    readonly serviceAccount: (
      namespace: string,
      name: string,
    ) => Promise<{ readonly uid: string; readonly annotations: Readonly<Record<string, string>> }>;
    readonly token: (user: ImageUser, audience: string) => Promise<string>;
    readonly clock: Clock;
    readonly log: Logger;
  },
): CredentialProviders {
  const { clock, log } = deps;
  const cache = new Map<string, Cached>();
  const asking = new Map<string, Promise<ProviderAnswer>>();

  const keep = (key: string, entry: Cached): void => {
    for (const [k, e] of cache) if (e.untilMs <= clock.now()) cache.delete(k);
    if (cache.size >= maxCached) cache.delete(cache.keys().next().value ?? '');
    cache.set(key, entry);
  };

  /** undefined: the plugin is not asked for this pod. */
  const accountOf = async (p: ProviderConfig, user: ImageUser): Promise<Account | undefined> => {
    const attributes = p.token;
    const node: Account = { source: { kind: 'node' }, request: {}, cacheKey: '' };
    if (attributes === undefined) return node;
    const name = user.serviceAccountName;
    if (name === '') return attributes.requireServiceAccount ? undefined : node;
    const account = await deps.serviceAccount(user.namespace, name);
    const annotations: Record<string, string> = {};
    for (const key of [...attributes.requiredAnnotations, ...attributes.optionalAnnotations]) {
      const value = account.annotations[key];
      // To have it is how a workload says that it wants this.
      if (value === undefined && attributes.requiredAnnotations.includes(key)) return undefined;
      if (value !== undefined) annotations[key] = value;
    }
    const token = await deps.token(user, attributes.audience);
    const sorted = Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      source: { kind: 'serviceAccount', uid: account.uid, namespace: user.namespace, name },
      request: { serviceAccountToken: token, ...(sorted.length === 0 ? {} : { serviceAccountAnnotations: annotations }) },
      cacheKey: JSON.stringify([user.namespace, name, account.uid, sorted, ...(attributes.cacheType === 'Token' ? [user.uid, token] : [])]),
    };
  };

  const ask = async (p: ProviderConfig, image: string, account: Account): Promise<ProviderAnswer> => {
    const keyOf = (scope: string): string => JSON.stringify([p.name, scope, account.cacheKey]);
    const registry = image.split('/')[0] ?? '';
    for (const scope of [`image ${image}`, `registry ${registry}`, 'global']) {
      const known = cache.get(keyOf(scope));
      if (known !== undefined && known.untilMs > clock.now()) return known.answer;
    }
    // The same question of several containers is asked once.
    const question = JSON.stringify([p.name, image, account]);
    const present = asking.get(question);
    if (present !== undefined) return present;
    const run = async (): Promise<ProviderAnswer> => {
      const answer = await deps.run(p, { image, ...account.request });
      const token = account.request.serviceAccountToken;
      if (token !== undefined && p.token?.cacheType !== 'Token' && Object.values(answer.auth).some((a) => a.password === token))
        throw new Error(
          "credential provider plugin returned the service account token as the password which is not allowed when service account cache type is not set to 'Token'",
        );
      const cacheMs = answer.cacheMs ?? p.defaultCacheMs;
      const scope =
        answer.cacheKeyType === 'Image' ? `image ${image}` : answer.cacheKeyType === 'Registry' ? `registry ${registry}` : 'global';
      if (cacheMs > 0) keep(keyOf(scope), { answer, untilMs: clock.now() + cacheMs });
      return answer;
    };
    const made = run().finally(() => asking.delete(question));
    asking.set(question, made);
    return made;
  };

  return {
    credentials: async (name, user) => {
      const image = repositoryOf(name);
      const found = await Promise.all(
        providers
          .filter((p) => p.matchImages.some((m) => matchesRepository(m, image)))
          .map(async (p) => {
            try {
              const account = await accountOf(p, user);
              if (account === undefined) return [];
              const answer = await ask(p, image, account);
              return lookUp(parseDockerAuths(answer.auth, account.source), name);
            } catch (error) {
              const pod = `${user.namespace}/${user.name}`;
              log.error({ err: error, provider: p.name, image, pod }, 'failed to provide credentials for an image');
              return [];
            }
          }),
      );
      return found.flat();
    },
  };
}
