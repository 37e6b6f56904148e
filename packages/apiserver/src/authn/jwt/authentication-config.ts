import { readFileSync } from 'node:fs';
import type { Program } from '@skiff/cel';
import { parse } from 'yaml';
import { claimsCondition, claimsText, claimsTexts, userCondition } from './expressions.ts';

/** A claim as it is, with what is put before it, or what an expression makes of the claims. */
export type ClaimMapping = { readonly claim: string; readonly prefix: string } | { readonly program: Program };

interface Rule {
  readonly program: Program;
  readonly message: string;
}

/** Whose tokens are taken, and what user they stand for. */
export interface JwtAuthenticatorConfig {
  readonly issuerUrl: string;
  /** Where the discovery document is, if not below the issuer's URL. */
  readonly discoveryUrl: string | undefined;
  /** PEM; undefined: the system's authorities. */
  readonly ca: string | undefined;
  /** A token must be for one of these. */
  readonly audiences: readonly string[];
  readonly signingAlgorithms: readonly string[];
  readonly username: ClaimMapping;
  readonly groups: ClaimMapping | undefined;
  readonly uid: ClaimMapping | undefined;
  readonly extra: readonly { readonly key: string; readonly program: Program }[];
  readonly requiredClaims: Readonly<Record<string, string>>;
  readonly claimRules: readonly Rule[];
  readonly userRules: readonly Rule[];
}

/** `paths` undefined: everywhere. */
export interface AnonymousConfig {
  readonly enabled: boolean;
  readonly paths: readonly string[] | undefined;
}

export interface AuthenticationConfiguration {
  readonly jwt: readonly JwtAuthenticatorConfig[];
  /** undefined: as the flag says. */
  readonly anonymous: AnonymousConfig | undefined;
}

export class AuthenticationConfigError extends Error {}

/** Every asymmetric algorithm of OpenID Connect. */
export const signingAlgorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'] as const;
const maxAuthenticators = 64;

type Fields = Readonly<Record<string, unknown>>;
const isFields = (v: unknown): v is Fields => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Reads the parts of a document and gathers what is wrong with it. */
class Reader {
  readonly problems: string[] = [];

  problem(path: string, why: string): void {
    this.problems.push(`${path}: ${why}`);
  }
  fields(value: unknown, path: string, known: readonly string[]): Fields {
    if (value === undefined || value === null) return {};
    if (!isFields(value)) {
      this.problem(path, 'must be a mapping');
      return {};
    }
    for (const name of Object.keys(value)) if (!known.includes(name)) this.problem(`${path}.${name}`, 'unknown field');
    return value;
  }
  text(fields: Fields, name: string, path: string): string {
    const value = fields[name];
    if (value === undefined || value === null) return '';
    if (typeof value === 'string') return value;
    this.problem(`${path}.${name}`, 'must be a string');
    return '';
  }
  list(fields: Fields, name: string, path: string): readonly unknown[] {
    const value = fields[name];
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.problem(`${path}.${name}`, 'must be a list');
    return [];
  }
  compiled(make: (expression: string) => Program, expression: string, path: string): Program | undefined {
    try {
      return make(expression);
    } catch (error) {
      this.problem(path, `Invalid value: ${JSON.stringify(expression)}: ${(error as Error).message}`);
      return undefined;
    }
  }
}

function checkUrl(r: Reader, text: string, path: string): void {
  if (text === '') return r.problem(path, 'Required value');
  if (!URL.canParse(text)) return r.problem(path, `Invalid value: ${JSON.stringify(text)}: not a URL`);
  const url = new URL(text);
  const bad = (why: string): void => r.problem(path, `Invalid value: ${JSON.stringify(text)}: ${why}`);
  if (url.protocol !== 'https:') bad('URL scheme must be https');
  if (url.username !== '' || url.password !== '') bad('URL must not contain a username or password');
  if (url.search !== '') bad('URL must not contain a query');
  if (url.hash !== '') bad('URL must not contain a fragment');
}

/** `prefixed`: a claim must come with its prefix, '' included. */
function mapping(
  r: Reader,
  value: unknown,
  o: { path: string; prefixed: boolean; make: (expression: string) => Program },
): ClaimMapping | undefined {
  const fields = r.fields(value, o.path, ['claim', 'expression', ...(o.prefixed ? ['prefix'] : [])]);
  const [claim, expression] = [r.text(fields, 'claim', o.path), r.text(fields, 'expression', o.path)];
  const prefix = fields['prefix'] as unknown;
  if (claim !== '' && expression !== '') r.problem(o.path, "Invalid value: claim and expression can't both be set");
  if (expression !== '') {
    if (prefix !== undefined && prefix !== null) r.problem(`${o.path}.prefix`, 'Invalid value: prefix is not allowed with expression');
    const program = r.compiled(o.make, expression, `${o.path}.expression`);
    return program === undefined ? undefined : { program };
  }
  if (claim === '') return undefined;
  if (o.prefixed && (prefix === undefined || prefix === null))
    r.problem(
      `${o.path}.prefix`,
      'Required value: prefix is required when claim is set. It can be set to an empty string to disable prefixing',
    );
  return { claim, prefix: r.text(fields, 'prefix', o.path) };
}

const usesEmail = (m: ClaimMapping | undefined): boolean =>
  m !== undefined && 'program' in m && /\bclaims\s*\.\s*\??\s*email\b(?!_)/.test(m.program.expression);
const mentionsVerified = (p: Program): boolean => p.expression.includes('email_verified');

function authenticator(r: Reader, value: unknown, path: string): JwtAuthenticatorConfig | undefined {
  const fields = r.fields(value, path, ['issuer', 'claimValidationRules', 'claimMappings', 'userValidationRules']);
  const before = r.problems.length;
  const at = `${path}.issuer`;
  const issuer = r.fields(fields['issuer'], at, [
    'url',
    'discoveryURL',
    'certificateAuthority',
    'audiences',
    'audienceMatchPolicy',
    'egressSelectorType',
  ]);
  const issuerUrl = r.text(issuer, 'url', at);
  checkUrl(r, issuerUrl, `${at}.url`);
  const discoveryUrl = r.text(issuer, 'discoveryURL', at);
  if (discoveryUrl !== '') {
    checkUrl(r, discoveryUrl, `${at}.discoveryURL`);
    if (discoveryUrl.replace(/\/+$/, '') === issuerUrl.replace(/\/+$/, ''))
      r.problem(`${at}.discoveryURL`, `Invalid value: ${JSON.stringify(discoveryUrl)}: discoveryURL must be different from URL`);
  }
  if (r.text(issuer, 'egressSelectorType', at) !== '')
    r.problem(`${at}.egressSelectorType`, 'Invalid value: this server has no egress selectors');
  const ca = r.text(issuer, 'certificateAuthority', at);
  if (ca !== '' && !/-----BEGIN CERTIFICATE-----/.test(ca))
    r.problem(`${at}.certificateAuthority`, 'Invalid value: "<omitted>": data does not contain any valid RSA or ECDSA certificates');
  const audiences = r.list(issuer, 'audiences', at).map(String);
  if (audiences.length === 0) r.problem(`${at}.audiences`, 'Required value: at least one audiences is required');
  if (audiences.includes('')) r.problem(`${at}.audiences`, "Required value: audience can't be empty");
  if (new Set(audiences).size < audiences.length) r.problem(`${at}.audiences`, 'Duplicate value');
  const policy = r.text(issuer, 'audienceMatchPolicy', at);
  if (audiences.length > 1 && policy !== 'MatchAny')
    r.problem(
      `${at}.audienceMatchPolicy`,
      `Invalid value: ${JSON.stringify(policy)}: audienceMatchPolicy must be MatchAny for multiple audiences`,
    );
  if (audiences.length === 1 && policy !== '' && policy !== 'MatchAny')
    r.problem(
      `${at}.audienceMatchPolicy`,
      `Invalid value: ${JSON.stringify(policy)}: audienceMatchPolicy must be empty or MatchAny for single audience`,
    );

  const requiredClaims: Record<string, string> = {};
  const claimRules: Rule[] = [];
  for (const [i, given] of r.list(fields, 'claimValidationRules', path).entries()) {
    const where = `${path}.claimValidationRules[${i}]`;
    const rule = r.fields(given, where, ['claim', 'requiredValue', 'expression', 'message']);
    const [claim, expression, message] = [r.text(rule, 'claim', where), r.text(rule, 'expression', where), r.text(rule, 'message', where)];
    const requiredValue = r.text(rule, 'requiredValue', where);
    if (claim !== '' && expression !== '')
      r.problem(where, `Invalid value: ${JSON.stringify(claim)}: claim and expression can't both be set`);
    else if (claim === '' && expression === '') r.problem(where, 'Required value: claim or expression is required');
    else if (claim !== '') {
      if (message !== '') r.problem(`${where}.message`, 'Invalid value: may not be specified when claim is set');
      if (Object.hasOwn(requiredClaims, claim)) r.problem(`${where}.claim`, `Duplicate value: ${JSON.stringify(claim)}`);
      requiredClaims[claim] = requiredValue;
    } else {
      if (requiredValue !== '') r.problem(`${where}.requiredValue`, 'Invalid value: may not be specified when expression is set');
      const program = r.compiled(claimsCondition, expression, `${where}.expression`);
      if (program !== undefined) claimRules.push({ program, message });
    }
  }

  const maps = `${path}.claimMappings`;
  const mappings = r.fields(fields['claimMappings'], maps, ['username', 'groups', 'uid', 'extra']);
  const username = mapping(r, mappings['username'], { path: `${maps}.username`, prefixed: true, make: claimsText });
  if (username === undefined && r.problems.length === before)
    r.problem(`${maps}.username`, 'Required value: claim or expression is required');
  const groups = mapping(r, mappings['groups'], { path: `${maps}.groups`, prefixed: true, make: claimsTexts });
  const uid = mapping(r, mappings['uid'], { path: `${maps}.uid`, prefixed: false, make: claimsText });
  const extra: { key: string; program: Program }[] = [];
  for (const [i, given] of r.list(mappings, 'extra', maps).entries()) {
    const where = `${maps}.extra[${i}]`;
    const entry = r.fields(given, where, ['key', 'valueExpression']);
    const [key, expression] = [r.text(entry, 'key', where), r.text(entry, 'valueExpression', where)];
    const domain = key.split('/')[0] ?? '';
    if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/\S+$/.test(key))
      r.problem(
        `${where}.key`,
        `Invalid value: ${JSON.stringify(key)}: must be a domain-prefixed path (such as "acme.io/foo"), in lower case`,
      );
    if (/(^|\.)(k8s|kubernetes)\.io$/.test(domain))
      r.problem(
        `${where}.key`,
        `Invalid value: ${JSON.stringify(key)}: k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use`,
      );
    if (extra.some((e) => e.key === key)) r.problem(`${where}.key`, `Duplicate value: ${JSON.stringify(key)}`);
    if (expression === '') r.problem(`${where}.valueExpression`, 'Required value');
    const program = expression === '' ? undefined : r.compiled(claimsTexts, expression, `${where}.valueExpression`);
    if (program !== undefined) extra.push({ key, program });
  }
  const others = [...claimRules.map((rule) => rule.program), ...extra.map((e) => e.program)];
  const username_ = username !== undefined && 'program' in username ? [username.program] : [];
  if (usesEmail(username) && ![...others, ...username_].some(mentionsVerified))
    r.problem(
      `${maps}.username.expression`,
      'Invalid value: claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression',
    );

  const userRules: Rule[] = [];
  for (const [i, given] of r.list(fields, 'userValidationRules', path).entries()) {
    const where = `${path}.userValidationRules[${i}]`;
    const rule = r.fields(given, where, ['expression', 'message']);
    const expression = r.text(rule, 'expression', where);
    if (expression === '') r.problem(`${where}.expression`, 'Required value');
    const program = expression === '' ? undefined : r.compiled(userCondition, expression, `${where}.expression`);
    if (program !== undefined) userRules.push({ program, message: r.text(rule, 'message', where) });
  }
  if (r.problems.length > before || username === undefined) return undefined;
  return {
    issuerUrl,
    discoveryUrl: discoveryUrl === '' ? undefined : discoveryUrl,
    ca: ca === '' ? undefined : ca,
    audiences,
    signingAlgorithms,
    username,
    groups,
    uid,
    extra,
    requiredClaims,
    claimRules,
    userRules,
  };
}

function anonymousOf(r: Reader, value: unknown): AnonymousConfig | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = r.fields(value, 'anonymous', ['enabled', 'conditions']);
  const enabled = fields['enabled'] === true;
  const conditions = r.list(fields, 'conditions', 'anonymous');
  if (!enabled && conditions.length > 0)
    r.problem('anonymous.conditions', 'Invalid value: enabled should be set to true when conditions are defined');
  const paths = conditions.map((c, i) => r.text(r.fields(c, `anonymous.conditions[${i}]`, ['path']), 'path', `anonymous.conditions[${i}]`));
  return { enabled, paths: paths.length === 0 ? undefined : paths };
}

/**
 * An AuthenticationConfiguration of apiserver.config.k8s.io/v1. `ownIssuers`: of ServiceAccount tokens; nobody else's tokens are taken for
 * these. Throws AuthenticationConfigError with everything that is wrong.
 */
export function parseAuthenticationConfig(text: string, ownIssuers: readonly string[]): AuthenticationConfiguration {
  let root: unknown;
  try {
    root = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw new AuthenticationConfigError(`not YAML: ${(error as Error).message}`);
  }
  if (!isFields(root) || root['kind'] !== 'AuthenticationConfiguration' || root['apiVersion'] !== 'apiserver.config.k8s.io/v1')
    throw new AuthenticationConfigError('it must be an AuthenticationConfiguration of apiserver.config.k8s.io/v1');
  const r = new Reader();
  r.fields(root, 'AuthenticationConfiguration', ['kind', 'apiVersion', 'metadata', 'jwt', 'anonymous']);
  const entries = r.list(root, 'jwt', 'AuthenticationConfiguration');
  if (entries.length > maxAuthenticators) r.problem('jwt', `Too many: ${entries.length}: must have at most ${maxAuthenticators} items`);
  const jwt: JwtAuthenticatorConfig[] = [];
  for (const [i, entry] of entries.slice(0, maxAuthenticators).entries()) {
    const path = `jwt[${i}]`;
    const made = authenticator(r, entry, path);
    if (made === undefined) continue;
    if (ownIssuers.includes(made.issuerUrl))
      r.problem(
        `${path}.issuer.url`,
        `Invalid value: ${JSON.stringify(made.issuerUrl)}: URL must not overlap with disallowed issuers: [${ownIssuers.join(' ')}]`,
      );
    if (jwt.some((other) => other.issuerUrl === made.issuerUrl))
      r.problem(`${path}.issuer.url`, `Duplicate value: ${JSON.stringify(made.issuerUrl)}`);
    if (made.discoveryUrl !== undefined && jwt.some((other) => other.discoveryUrl === made.discoveryUrl))
      r.problem(`${path}.issuer.discoveryURL`, `Duplicate value: ${JSON.stringify(made.discoveryUrl)}`);
    jwt.push(made);
  }
  const anonymous = anonymousOf(r, root['anonymous']);
  if (r.problems.length > 0) throw new AuthenticationConfigError(r.problems.join('; '));
  return { jwt, anonymous };
}

/** Throws AuthenticationConfigError. */
export function readAuthenticationConfig(file: string, ownIssuers: readonly string[]): AuthenticationConfiguration {
  try {
    return parseAuthenticationConfig(readFileSync(file, 'utf8'), ownIssuers);
  } catch (error) {
    throw new AuthenticationConfigError(`--authentication-config: ${file}: ${(error as Error).message}`);
  }
}
