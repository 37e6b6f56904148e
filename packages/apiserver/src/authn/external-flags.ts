import { FlagError, type FlagTable } from '@skiff/component-base';
import { readFileSync } from 'node:fs';
import { type JwtAuthenticatorConfig, signingAlgorithms } from './jwt/authentication-config.ts';

/** Users that are known elsewhere. Upstream's flags, with its defaults. */
export const externalAuthenticationFlags = {
  'authentication-config': {
    type: 'string',
    help: 'AuthenticationConfiguration: issuers of tokens, and who may be anonymous; it is followed',
  },
  'oidc-issuer-url': { type: 'string', help: 'OpenID issuer whose tokens are taken (https)' },
  'oidc-client-id': { type: 'string', help: 'audience that such tokens must have' },
  'oidc-username-claim': { type: 'string', default: 'sub', help: 'claim that is the user name' },
  'oidc-username-prefix': {
    type: 'string',
    help: "put before user names; default: the issuer's URL and #, but nothing before email; - is nothing",
  },
  'oidc-groups-claim': { type: 'string', help: 'claim with the groups' },
  'oidc-groups-prefix': { type: 'string', default: '', help: 'put before groups' },
  'oidc-required-claim': { type: 'list', default: [], help: 'key=value that a token must have; may be repeated' },
  'oidc-ca-file': { type: 'string', help: "CA of the issuer; default: the system's" },
  'oidc-signing-algs': { type: 'list', default: ['RS256'], help: `algorithms of signatures: ${signingAlgorithms.join(', ')}` },
  'authentication-token-webhook-config-file': { type: 'string', help: 'kubeconfig of a server that knows tokens' },
  'authentication-token-webhook-cache-ttl': { type: 'duration', default: '2m', help: 'how long its answers hold' },
  'authentication-token-webhook-version': { type: 'string', default: 'v1beta1', help: 'version of TokenReviews: v1 or v1beta1' },
  'token-auth-file': { type: 'string', help: 'file with lines token,user,uid,"group1,group2"' },
} as const satisfies FlagTable;

export interface ExternalAuthenticationFlags {
  readonly 'authentication-config'?: string | undefined;
  readonly 'oidc-issuer-url'?: string | undefined;
  readonly 'oidc-client-id'?: string | undefined;
  readonly 'oidc-username-claim': string;
  readonly 'oidc-username-prefix'?: string | undefined;
  readonly 'oidc-groups-claim'?: string | undefined;
  readonly 'oidc-groups-prefix': string;
  readonly 'oidc-required-claim': readonly string[];
  readonly 'oidc-ca-file'?: string | undefined;
  readonly 'oidc-signing-algs': readonly string[];
  readonly 'authentication-token-webhook-config-file'?: string | undefined;
  readonly 'authentication-token-webhook-cache-ttl': number;
  readonly 'authentication-token-webhook-version': string;
  readonly 'token-auth-file'?: string | undefined;
}

export interface ExternalAuthenticationConfig {
  /** AuthenticationConfiguration. */
  readonly file: string | undefined;
  readonly oidc: JwtAuthenticatorConfig | undefined;
  readonly tokenWebhook: { readonly configFile: string; readonly apiVersion: string; readonly cacheTtlMs: number } | undefined;
  readonly tokenFile: string | undefined;
}

function oidcFromFlags(f: ExternalAuthenticationFlags): JwtAuthenticatorConfig | undefined {
  const issuerUrl = f['oidc-issuer-url'] ?? '';
  const clientId = f['oidc-client-id'] ?? '';
  if (issuerUrl === '' && clientId === '') return undefined;
  if (issuerUrl === '' || clientId === '') throw new FlagError('--oidc-issuer-url and --oidc-client-id must be specified together');
  if (!URL.canParse(issuerUrl) || new URL(issuerUrl).protocol !== 'https:') throw new FlagError('--oidc-issuer-url takes an https URL');
  const wrong = f['oidc-signing-algs'].find((a) => !(signingAlgorithms as readonly string[]).includes(a));
  if (wrong !== undefined) throw new FlagError(`--oidc-signing-algs: unsupported algorithm ${JSON.stringify(wrong)}`);
  const claim = f['oidc-username-claim'];
  const given = f['oidc-username-prefix'] ?? '';
  const prefix = given === '-' ? '' : given === '' ? (claim === 'email' ? '' : `${issuerUrl}#`) : given;
  const groupsClaim = f['oidc-groups-claim'] ?? '';
  const caFile = f['oidc-ca-file'] ?? '';
  return {
    issuerUrl,
    discoveryUrl: undefined,
    ca: caFile === '' ? undefined : readFileSync(caFile, 'utf8'),
    audiences: [clientId],
    signingAlgorithms: f['oidc-signing-algs'],
    username: { claim, prefix },
    groups: groupsClaim === '' ? undefined : { claim: groupsClaim, prefix: f['oidc-groups-prefix'] },
    uid: undefined,
    extra: [],
    requiredClaims: Object.fromEntries(
      f['oidc-required-claim'].map((pair) => {
        const equals = pair.indexOf('=');
        if (equals < 1) throw new FlagError(`--oidc-required-claim takes key=value, not ${JSON.stringify(pair)}`);
        return [pair.slice(0, equals), pair.slice(equals + 1)];
      }),
    ),
    claimRules: [],
    userRules: [],
  };
}

/** What the flags ask for; undefined: everyone is known here. Throws FlagError. */
export function externalAuthenticationFromFlags(f: ExternalAuthenticationFlags): ExternalAuthenticationConfig | undefined {
  const file = f['authentication-config'];
  const oidc = oidcFromFlags(f);
  if (file !== undefined && oidc !== undefined) throw new FlagError('--authentication-config and --oidc-* flags are mutually exclusive');
  const configFile = f['authentication-token-webhook-config-file'];
  const version = f['authentication-token-webhook-version'];
  if (version !== 'v1' && version !== 'v1beta1') throw new FlagError('--authentication-token-webhook-version takes v1 or v1beta1');
  const tokenFile = f['token-auth-file'];
  if (file === undefined && oidc === undefined && configFile === undefined && tokenFile === undefined) return undefined;
  return {
    file,
    oidc,
    tokenWebhook:
      configFile === undefined
        ? undefined
        : { configFile, apiVersion: `authentication.k8s.io/${version}`, cacheTtlMs: f['authentication-token-webhook-cache-ttl'] },
    tokenFile,
  };
}
