import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { Agent, request } from 'node:https';
import type { Clock } from '@skiff/component-base';

/** A key of an issuer. */
export interface IssuerKey {
  readonly kid: string | undefined;
  readonly key: KeyObject;
}

export interface KeySet {
  /** Those for `kid`; all without one. Asks the issuer when there are none, or they are old; not more often than every few seconds. Throws when it can't be asked. */
  keysFor(kid: string | undefined): Promise<readonly IssuerKey[]>;
  /** After a signature that no key fits: the keys, if they could be fetched anew. */
  refetched(kid: string | undefined): Promise<readonly IssuerKey[]>;
}

/** GETs JSON. Throws. */
export type FetchJson = (url: string) => Promise<unknown>;

const timeoutMs = 30_000;
const maxDocumentBytes = 1024 * 1024;
const maxKeys = 128;
/** Between two questions to an issuer: tokens that anyone can make up ask for nothing more. */
const pauseMs = 10_000;
/** An issuer that has withdrawn a key is asked again after this. */
const maxAgeMs = 60 * 60 * 1000;

/** HTTPS with this authority's certificates or the system's; bounded in size and time, and without redirects. */
export function createFetchJson(ca: string | undefined): FetchJson {
  const agent = new Agent({ keepAlive: false, maxSockets: 2, ...(ca === undefined ? {} : { ca }) });
  return (url) =>
    new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer);
        reject(new Error(`Get ${JSON.stringify(url)}: ${why}`));
      };
      const sent = request(url, { agent, headers: { accept: 'application/json', 'user-agent': 'kube-apiserver' } }, (response) => {
        const pieces: Buffer[] = [];
        let bytes = 0;
        response.on('data', (piece: Buffer) => {
          bytes += piece.length;
          if (bytes > maxDocumentBytes) response.destroy(new Error('the answer is too large'));
          else pieces.push(piece);
        });
        response.once('error', (error) => fail(error.message));
        response.once('end', () => {
          if (response.statusCode !== 200) return fail(`the server answered with code ${response.statusCode ?? 0}`);
          try {
            const value: unknown = JSON.parse(Buffer.concat(pieces).toString('utf8'));
            clearTimeout(timer);
            resolve(value);
          } catch {
            fail('the answer is no JSON');
          }
        });
      });
      const timer = setTimeout(() => sent.destroy(new Error('context deadline exceeded')), timeoutMs);
      sent.once('error', (error) => fail(error.message));
      sent.end();
    });
}

const wellKnown = '/.well-known/openid-configuration';

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;

/** Signing keys only; what node can't read is passed over. */
function readKeys(document: unknown): readonly IssuerKey[] {
  const keys = field(document, 'keys');
  if (!Array.isArray(keys)) throw new Error('the key set has no keys');
  const out: IssuerKey[] = [];
  for (const jwk of keys.slice(0, maxKeys) as unknown[]) {
    const [kty, use, kid] = ['kty', 'use', 'kid'].map((name) => field(jwk, name));
    if ((kty !== 'RSA' && kty !== 'EC') || (use !== undefined && use !== 'sig')) continue;
    try {
      const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
      out.push({ kid: typeof kid === 'string' ? kid : undefined, key });
    } catch {
      // One that can't be read verifies nothing; the others may.
      continue;
    }
  }
  return out;
}

/** An issuer's keys, found by its discovery document and remembered. */
export function createKeySet(
  issuer: { readonly issuerUrl: string; readonly discoveryUrl: string | undefined },
  deps: { fetchJson: FetchJson; clock: Pick<Clock, 'monotonicMs'> },
): KeySet {
  const { fetchJson, clock } = deps;
  let keysUrl: string | undefined;
  let keys: readonly IssuerKey[] | undefined;
  let fetchedMs = -Infinity;
  let askedMs = -Infinity;
  let failure: Error | undefined;
  let asking: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    if (keysUrl === undefined) {
      const document = await fetchJson(issuer.discoveryUrl ?? `${issuer.issuerUrl.replace(/\/$/, '')}${wellKnown}`);
      const said = field(document, 'issuer');
      if (said !== issuer.issuerUrl)
        throw new Error(
          `oidc: issuer did not match the issuer returned by provider, expected ${JSON.stringify(issuer.issuerUrl)} got ${JSON.stringify(said)}`,
        );
      const url = field(document, 'jwks_uri');
      if (typeof url !== 'string' || !URL.canParse(url) || new URL(url).protocol !== 'https:')
        throw new Error('oidc: provider did not return an https URL for its keys');
      keysUrl = url;
    }
    keys = readKeys(await fetchJson(keysUrl));
    fetchedMs = clock.monotonicMs();
  };
  /** Shared by all who ask; what failed is not tried again at once. */
  const refresh = (): Promise<void> => {
    if (asking !== undefined) return asking;
    if (clock.monotonicMs() - askedMs < pauseMs) return failure === undefined ? Promise.resolve() : Promise.reject(failure);
    askedMs = clock.monotonicMs();
    asking = ask().then(
      () => {
        failure = undefined;
        asking = undefined;
      },
      (error: unknown) => {
        failure = error as Error;
        asking = undefined;
        throw error;
      },
    );
    return asking;
  };
  const select = (kid: string | undefined): readonly IssuerKey[] =>
    (keys ?? []).filter((k) => kid === undefined || kid === '' || k.kid === kid);

  return {
    keysFor: async (kid) => {
      const found = select(kid);
      if (found.length > 0 && clock.monotonicMs() - fetchedMs < maxAgeMs) return found;
      try {
        await refresh();
      } catch (error) {
        // The issuer is away: what it said last holds.
        if (found.length === 0) throw error;
      }
      return select(kid);
    },
    refetched: async (kid) => {
      const before = fetchedMs;
      await refresh();
      return fetchedMs === before ? [] : select(kid);
    },
  };
}
