import { FlagError } from '@skiff/component-base';

/** batch: later, together; blocking: before the answer; blocking-strict: or no answer but an error. */
export type AuditMode = 'batch' | 'blocking' | 'blocking-strict';
const modes: readonly AuditMode[] = ['batch', 'blocking', 'blocking-strict'];

export interface AuditBackendConfig {
  readonly mode: AuditMode;
  readonly batch: {
    /** Events that may wait; more are dropped. */
    readonly bufferSize: number;
    readonly maxSize: number;
    readonly maxWaitMs: number;
    /** undefined: no limit. */
    readonly throttle: { readonly qps: number; readonly burst: number } | undefined;
  };
  /** undefined: events are sent however large they are. */
  readonly truncate: { readonly maxEventBytes: number; readonly maxBatchBytes: number } | undefined;
}

export interface AuditConfig {
  readonly policyFile: string;
  readonly log:
    | (AuditBackendConfig & {
        /** `-` is standard output. */
        readonly path: string;
        /** Days; 0 keeps all. */
        readonly maxAgeDays: number;
        readonly maxBackups: number;
        readonly maxSizeMegabytes: number;
        readonly format: 'json' | 'legacy';
        readonly compress: boolean;
      })
    | undefined;
  readonly webhook: (AuditBackendConfig & { readonly configFile: string; readonly initialBackoffMs: number }) | undefined;
}

type Backend = 'log' | 'webhook';

interface BackendFlags {
  readonly mode: string;
  readonly 'batch-buffer-size': number;
  readonly 'batch-max-size': number;
  readonly 'batch-max-wait': number;
  readonly 'batch-throttle-enable': boolean;
  readonly 'batch-throttle-qps': number;
  readonly 'batch-throttle-burst': number;
  readonly 'truncate-enabled': boolean;
  readonly 'truncate-max-event-size': number;
  readonly 'truncate-max-batch-size': number;
}
type Prefixed<B extends Backend> = { readonly [K in keyof BackendFlags as `audit-${B}-${K}`]: BackendFlags[K] };

export type AuditFlags = Prefixed<'log'> &
  Prefixed<'webhook'> & {
    readonly 'audit-policy-file'?: string | undefined;
    readonly 'audit-log-path'?: string | undefined;
    readonly 'audit-log-maxage': number;
    readonly 'audit-log-maxbackup': number;
    readonly 'audit-log-maxsize': number;
    readonly 'audit-log-format': string;
    readonly 'audit-log-compress': boolean;
    readonly 'audit-log-version': string;
    readonly 'audit-webhook-config-file'?: string | undefined;
    readonly 'audit-webhook-initial-backoff': number;
    readonly 'audit-webhook-version': string;
  };

function backend(name: Backend, f: AuditFlags): AuditBackendConfig {
  const value = <K extends keyof BackendFlags>(key: K): BackendFlags[K] =>
    (f as unknown as Readonly<Record<string, BackendFlags[K]>>)[`audit-${name}-${key}`] as BackendFlags[K];
  const mode = modes.find((m) => m === value('mode'));
  if (mode === undefined) throw new FlagError(`invalid audit ${name} mode ${value('mode')}, allowed modes are ${modes.join(',')}`);
  const positive = (key: keyof BackendFlags): number => {
    const n = value(key) as number;
    if (!(n > 0)) throw new FlagError(`--audit-${name}-${key} must be a positive number`);
    return n;
  };
  const truncate = {
    maxEventBytes: positive('truncate-max-event-size'),
    maxBatchBytes: positive('truncate-max-batch-size'),
  };
  if (truncate.maxBatchBytes < truncate.maxEventBytes)
    throw new FlagError(`invalid audit truncate ${name} max batch size: it must be greater than the max event size`);
  return {
    mode,
    batch: {
      bufferSize: positive('batch-buffer-size'),
      maxSize: positive('batch-max-size'),
      maxWaitMs: value('batch-max-wait'),
      throttle: value('batch-throttle-enable')
        ? { qps: positive('batch-throttle-qps'), burst: positive('batch-throttle-burst') }
        : undefined,
    },
    truncate: value('truncate-enabled') ? truncate : undefined,
  };
}

/** What the flags ask for; undefined: no audit. Throws FlagError. */
export function auditConfigFromFlags(f: AuditFlags): AuditConfig | undefined {
  const path = f['audit-log-path'] ?? '';
  const configFile = f['audit-webhook-config-file'] ?? '';
  for (const name of ['audit-log-version', 'audit-webhook-version'] as const)
    if (f[name] !== 'audit.k8s.io/v1') throw new FlagError(`--${name}: invalid group version, allowed versions are "audit.k8s.io/v1"`);
  for (const name of ['audit-log-maxage', 'audit-log-maxbackup', 'audit-log-maxsize'] as const)
    if (f[name] < 0) throw new FlagError(`--${name} ${f[name]} can't be a negative number`);
  const format = f['audit-log-format'];
  if (format !== 'json' && format !== 'legacy')
    throw new FlagError(`invalid audit log format ${format}, allowed formats are "legacy,json"`);
  const policyFile = f['audit-policy-file'] ?? '';
  if (policyFile === '' || (path === '' && configFile === '')) return undefined;
  return {
    policyFile,
    log:
      path === ''
        ? undefined
        : {
            ...backend('log', f),
            path,
            maxAgeDays: f['audit-log-maxage'],
            maxBackups: f['audit-log-maxbackup'],
            maxSizeMegabytes: f['audit-log-maxsize'],
            format,
            compress: f['audit-log-compress'],
          },
    webhook: configFile === '' ? undefined : { ...backend('webhook', f), configFile, initialBackoffMs: f['audit-webhook-initial-backoff'] },
  };
}
