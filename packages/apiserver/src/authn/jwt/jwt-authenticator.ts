import type { Json, JsonObject } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import { compactVerify, decodeProtectedHeader, errors } from 'jose';
import type { UserInfo } from '../../contract.ts';
import { AuthenticationError, type TokenAuthenticator } from '../authenticator.ts';
import type { ClaimMapping, JwtAuthenticatorConfig } from './authentication-config.ts';
import { claimsVariables, evaluateCondition, evaluateText, evaluateTexts, userVariables } from './expressions.ts';
import type { IssuerKey, KeySet } from './key-set.ts';

/** Larger tokens are nobody's. */
const maxTokenBytes = 64 * 1024;
/** A token that begins to hold a little later than now: clocks differ. */
const notBeforeLeewaySeconds = 60;

const isObject = (v: unknown): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Who a token says made it; nothing is verified. undefined: it is no JWT. */
function untrustedIssuer(token: string): string | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'));
    return isObject(claims) && typeof claims['iss'] === 'string' ? claims['iss'] : undefined;
  } catch {
    return undefined;
  }
}

/** The algorithms that a key may verify; the token's header alone never decides. */
function algorithmsOf({ key }: IssuerKey, allowed: readonly string[]): string[] {
  const kind = key.asymmetricKeyType;
  return allowed.filter((a) => (kind === 'ec' ? a.startsWith('ES') : kind === 'rsa' && !a.startsWith('ES')));
}

async function verifyWith(token: string, keys: readonly IssuerKey[], allowed: readonly string[]): Promise<JsonObject | undefined> {
  for (const candidate of keys) {
    const algorithms = algorithmsOf(candidate, allowed);
    if (algorithms.length === 0) continue;
    try {
      const { payload } = await compactVerify(token, candidate.key, { algorithms });
      const claims: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
      if (!isObject(claims)) throw new AuthenticationError('oidc: parse claims: not an object');
      return claims;
    } catch (error) {
      if (error instanceof AuthenticationError) throw error;
      if (!(error instanceof errors.JOSEError) && !(error instanceof TypeError) && !(error instanceof SyntaxError)) throw error;
    }
  }
  return undefined;
}

/** A point in time; issuers write numbers, and some write them as strings. NaN: it is none. */
const secondsOf = (claim: Json | undefined): number =>
  typeof claim === 'number' || (typeof claim === 'string' && /^-?\d+(\.\d+)?$/.test(claim)) ? Number(claim) : NaN;

function checkTimes(claims: JsonObject, nowMs: number): void {
  const exp = secondsOf(claims['exp']);
  const nbf = claims['nbf'] === undefined ? 0 : secondsOf(claims['nbf']);
  const nowSeconds = nowMs / 1000;
  if (Number.isNaN(exp) || nowSeconds > exp) throw new AuthenticationError('oidc: verify token: oidc: token is expired');
  if (Number.isNaN(nbf) || nowSeconds + notBeforeLeewaySeconds < nbf)
    throw new AuthenticationError('oidc: verify token: oidc: current time is before the nbf (not before) time');
}

function checkAudience(claims: JsonObject, accepted: readonly string[]): void {
  const { aud } = claims;
  const given = typeof aud === 'string' ? [aud] : Array.isArray(aud) ? aud.filter((a): a is string => typeof a === 'string') : [];
  if (!given.some((a) => accepted.includes(a)))
    throw new AuthenticationError(
      `oidc: verify token: oidc: expected audience in ${JSON.stringify(accepted)} got ${JSON.stringify(given)}`,
    );
}

function textClaim(claims: JsonObject, name: string): string {
  if (!Object.hasOwn(claims, name)) throw new AuthenticationError(`oidc: parse username claims ${JSON.stringify(name)}: claim not present`);
  const value = claims[name];
  if (typeof value !== 'string') throw new AuthenticationError(`oidc: parse claim ${JSON.stringify(name)}: it is not a string`);
  return value;
}

function groupsClaim(value: Json | undefined, name: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'string') return [value];
  if (Array.isArray(value) && value.every((v) => typeof v === 'string')) return value;
  throw new AuthenticationError(`oidc: parse groups claim ${JSON.stringify(name)}: it is neither a string nor a list of them`);
}

type Variables = ReturnType<typeof claimsVariables>;

function usernameOf(mapping: ClaimMapping, claims: JsonObject, variables: Variables): string {
  if ('program' in mapping) {
    const name = evaluateText(mapping.program, variables);
    if (name === '') throw new AuthenticationError('oidc: empty username via CEL expression is not allowed');
    return name;
  }
  const name = textClaim(claims, mapping.claim);
  if (mapping.claim === 'email' && Object.hasOwn(claims, 'email_verified') && claims['email_verified'] !== true)
    throw new AuthenticationError('oidc: email not verified');
  return `${mapping.prefix}${name}`;
}

/** The user that verified claims stand for. Throws AuthenticationError. */
export function userFromClaims(config: JwtAuthenticatorConfig, claims: JsonObject): UserInfo {
  const variables = claimsVariables(claims);
  const name = usernameOf(config.username, claims, variables);
  const { groups: groupsMapping, uid: uidMapping } = config;
  const groups =
    groupsMapping === undefined
      ? []
      : 'program' in groupsMapping
        ? evaluateTexts(groupsMapping.program, variables)
        : groupsClaim(claims[groupsMapping.claim], groupsMapping.claim).map((g) => `${groupsMapping.prefix}${g}`);
  const uid =
    uidMapping === undefined
      ? ''
      : 'program' in uidMapping
        ? evaluateText(uidMapping.program, variables)
        : textClaim(claims, uidMapping.claim);
  const extra: Record<string, readonly string[]> = {};
  for (const { key, program } of config.extra) {
    const values = evaluateTexts(program, variables);
    if (values.length > 0) extra[key] = values;
  }
  for (const [claim, wanted] of Object.entries(config.requiredClaims)) {
    if (!Object.hasOwn(claims, claim)) throw new AuthenticationError(`oidc: required claim ${claim} not present in ID token`);
    if (claims[claim] !== wanted) throw new AuthenticationError(`oidc: required claim ${claim} value does not match`);
  }
  for (const rule of config.claimRules) {
    if (!evaluateCondition(rule.program, variables))
      throw new AuthenticationError(
        `oidc: error evaluating claim validation expression: validation expression '${rule.program.expression}' failed: ${rule.message}`,
      );
  }
  const user: UserInfo = {
    name,
    groups: [...groups],
    ...(uid === '' ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
  for (const rule of config.userRules) {
    if (!evaluateCondition(rule.program, userVariables(user)))
      throw new AuthenticationError(
        `oidc: error evaluating user info validation rule: validation expression '${rule.program.expression}' failed: ${rule.message}`,
      );
  }
  return user;
}

/** Tokens of one issuer outside the cluster. Those of others are not its own. */
export function createJwtAuthenticator(
  config: JwtAuthenticatorConfig,
  deps: { keySet: KeySet; clock: Pick<Clock, 'now'> },
): TokenAuthenticator {
  const { keySet, clock } = deps;
  const keys = async (ask: Promise<readonly IssuerKey[]>): Promise<readonly IssuerKey[]> => {
    try {
      return await ask;
    } catch (error) {
      throw new AuthenticationError(`oidc: the keys of ${config.issuerUrl} can't be had: ${(error as Error).message}`);
    }
  };
  return {
    name: `jwt:${config.issuerUrl}`,
    authenticateToken: async (token) => {
      if (token.length > maxTokenBytes || untrustedIssuer(token) !== config.issuerUrl) return undefined;
      let kid: string | undefined;
      try {
        const protectedHeader = decodeProtectedHeader(token);
        if (!config.signingAlgorithms.includes(protectedHeader.alg ?? ''))
          throw new AuthenticationError(
            `oidc: verify token: oidc: malformed jwt: unexpected signature algorithm ${JSON.stringify(protectedHeader.alg)}`,
          );
        ({ kid } = protectedHeader);
      } catch (error) {
        if (error instanceof AuthenticationError) throw error;
        throw new AuthenticationError('oidc: verify token: oidc: malformed jwt');
      }
      if (kid !== undefined && typeof kid !== 'string') throw new AuthenticationError('oidc: verify token: oidc: malformed jwt');
      const claims =
        (await verifyWith(token, await keys(keySet.keysFor(kid)), config.signingAlgorithms)) ??
        (await verifyWith(token, await keys(keySet.refetched(kid)), config.signingAlgorithms));
      if (claims === undefined)
        throw new AuthenticationError('oidc: verify token: failed to verify signature: failed to verify id token signature');
      checkAudience(claims, config.audiences);
      checkTimes(claims, clock.now());
      try {
        return { user: userFromClaims(config, claims), audiences: [] };
      } catch (error) {
        throw error instanceof AuthenticationError ? error : new AuthenticationError(`oidc: ${(error as Error).message}`);
      }
    },
  };
}
