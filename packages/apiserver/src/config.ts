import { networkInterfaces } from 'node:os';
import { FlagError, type Flags } from '@skiff/component-base';
import { type AdmissionConfig, admissionConfig } from './admission/admission-config.ts';
import { type AuditConfig, auditConfigFromFlags } from './audit/config.ts';
import type { ProxyClientConfig } from './aggregation/extension-client.ts';
import { type AuthorizationConfig, authorizationFromFlags } from './authz/authorization-config.ts';
import { type ExternalAuthenticationConfig, externalAuthenticationFromFlags } from './authn/external-flags.ts';
import type { DefaultTolerations } from './admission/default-toleration-seconds.ts';
import type { apiServerFlags } from './flags.ts';
import type { InFlightLimits } from './in-flight.ts';
import type { TlsFileNames } from './server/tls-files.ts';
import type { ComponentEndpoints } from './reviews/component-statuses.ts';
import { type DialMode, dialModes } from './tunnel/dialer.ts';

export interface ServiceAccountConfig {
  readonly keyFiles: readonly string[];
  readonly signingKeyFile: string | undefined;
  /** The first signs, all are accepted. */
  readonly issuers: readonly [string, ...string[]];
  readonly audiences: readonly string[];
  readonly maxExpirationSeconds: number | undefined;
  readonly jwksUri: string | undefined;
}

export interface KubeletClientConfig {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly caFile: string | undefined;
  readonly preferredAddressTypes: readonly string[];
}

export interface TunnelConfig {
  readonly mode: DialMode;
  /** For one way to a node: through its tunnel, or directly. */
  readonly dialTimeoutMs: number;
  /** Through the tunnel of one node, at once. */
  readonly maxConnections: number;
}

export interface ApiServerConfig {
  readonly bindAddress: string;
  /** 0 picks a free one. */
  readonly securePort: number;
  readonly advertiseAddress: string;
  readonly keyPrefix: string;
  readonly tls: TlsFileNames;
  readonly kubelet: KubeletClientConfig;
  readonly tunnel: TunnelConfig;
  readonly serviceAccounts: ServiceAccountConfig;
  readonly serviceClusterIpRanges: readonly string[];
  readonly serviceNodePortRange: { readonly from: number; readonly to: number };
  readonly authorization: AuthorizationConfig;
  readonly anonymous: boolean;
  readonly bootstrapTokens: boolean;
  readonly allowPrivileged: boolean;
  readonly defaultTolerations: DefaultTolerations;
  readonly admission: AdmissionConfig;
  readonly requestHeaderAllowedNames: readonly string[];
  readonly proxyClient: ProxyClientConfig;
  /** Health pages of the processes beside this one, by name. */
  readonly componentHealth: ComponentEndpoints;
  readonly inFlight: InFlightLimits;
  /** API priority and fairness; without it requests are limited by number alone. */
  readonly priorityAndFairness: boolean;
  readonly requestTimeoutMs: number;
  readonly shutdownDelayMs: number;
  readonly goawayChance: number;
  /** undefined: no audit. */
  readonly audit?: AuditConfig | undefined;
  /** undefined: everyone is known here. */
  readonly externalAuthentication?: ExternalAuthenticationConfig | undefined;
}

/** The first address of this host that others can reach; IPv4 before IPv6. Throws when there is none. */
export function defaultAdvertiseAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const usable = all.filter((a) => !a.internal && !a.address.startsWith('fe80') && !a.address.startsWith('169.254.'));
  const found = usable.find((a) => a.family === 'IPv4') ?? usable[0];
  if (found === undefined) throw new FlagError('this host has no address but loopback: give --advertise-address');
  return found.address;
}

function parsePortRange(text: string): { from: number; to: number } {
  const match = /^(\d+)-(\d+)$/.exec(text);
  const [from, to] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || from < 1 || to > 65535 || from > to)
    throw new FlagError(`--service-node-port-range takes a range such as 30000-32767, not "${text}"`);
  return { from, to };
}

function dialModeOf(text: string): DialMode {
  const mode = dialModes.find((m) => m === text);
  if (mode === undefined) throw new FlagError(`--node-connection takes ${dialModes.join(', ')}, not "${text}"`);
  return mode;
}

/** Checks what the parser can't. Throws FlagError. */
export function configFromFlags(f: Flags<typeof apiServerFlags>): ApiServerConfig {
  const [issuer, ...otherIssuers] = f['service-account-issuer'];
  if (issuer === undefined) throw new FlagError('--service-account-issuer must not be empty');
  const goawayChance = Number(f['goaway-chance']);
  if (!(goawayChance >= 0 && goawayChance <= 0.02)) throw new FlagError('--goaway-chance takes a number from 0 to 0.02');
  const advertiseAddress = f['advertise-address'] ?? defaultAdvertiseAddress();
  if (/^(?:127\.|::1$|0\.0\.0\.0$|::$)/.test(advertiseAddress))
    throw new FlagError('--advertise-address must be an address that others can reach');
  const maxTokenMs = f['service-account-max-token-expiration'];
  return {
    bindAddress: f['bind-address'],
    securePort: f['secure-port'],
    advertiseAddress,
    keyPrefix: f['etcd-prefix'],
    tls: {
      certFile: f['tls-cert-file'],
      keyFile: f['tls-private-key-file'],
      clientCaFile: f['client-ca-file'],
      requestHeaderCaFile: f['requestheader-client-ca-file'],
    },
    kubelet: {
      certFile: f['kubelet-client-certificate'],
      keyFile: f['kubelet-client-key'],
      caFile: f['kubelet-certificate-authority'],
      preferredAddressTypes: f['kubelet-preferred-address-types'],
    },
    tunnel: {
      mode: dialModeOf(f['node-connection']),
      dialTimeoutMs: f['node-connection-timeout'],
      maxConnections: f['max-node-connections'],
    },
    serviceAccounts: {
      keyFiles: f['service-account-key-file'],
      signingKeyFile: f['service-account-signing-key-file'],
      issuers: [issuer, ...otherIssuers],
      audiences: f['api-audiences'].length > 0 ? f['api-audiences'] : [issuer, ...otherIssuers],
      maxExpirationSeconds: maxTokenMs > 0 ? Math.floor(maxTokenMs / 1000) : undefined,
      jwksUri: f['service-account-jwks-uri'],
    },
    serviceClusterIpRanges: f['service-cluster-ip-range'],
    serviceNodePortRange: parsePortRange(f['service-node-port-range']),
    authorization: authorizationFromFlags(f),
    anonymous: f['anonymous-auth'],
    bootstrapTokens: f['enable-bootstrap-token-auth'],
    allowPrivileged: f['allow-privileged'],
    defaultTolerations: {
      notReadySeconds: f['default-not-ready-toleration-seconds'],
      unreachableSeconds: f['default-unreachable-toleration-seconds'],
    },
    admission: admissionConfig({
      enable: f['enable-admission-plugins'],
      disable: f['disable-admission-plugins'],
      file: f['admission-control-config-file'],
    }),
    requestHeaderAllowedNames: f['requestheader-allowed-names'],
    componentHealth: parseComponentHealth(f['component-health']),
    proxyClient: { certFile: f['proxy-client-cert-file'], keyFile: f['proxy-client-key-file'] },
    inFlight: { readOnly: f['max-requests-inflight'], mutating: f['max-mutating-requests-inflight'] },
    priorityAndFairness: f['enable-priority-and-fairness'],
    requestTimeoutMs: f['request-timeout'],
    shutdownDelayMs: f['shutdown-delay-duration'],
    goawayChance,
    audit: auditConfigFromFlags(f),
    externalAuthentication: externalAuthenticationFromFlags(f),
  };
}

/** `name=http://…`. Throws FlagError. */
function parseComponentHealth(given: readonly string[]): ComponentEndpoints {
  return Object.fromEntries(
    given.map((text): [string, URL] => {
      const at = text.indexOf('=');
      const url = URL.canParse(text.slice(at + 1)) ? new URL(text.slice(at + 1)) : undefined;
      if (at < 1 || url?.protocol !== 'http:') throw new FlagError(`--component-health takes name=http://host:port/path, not "${text}"`);
      return [text.slice(0, at), url];
    }),
  );
}
