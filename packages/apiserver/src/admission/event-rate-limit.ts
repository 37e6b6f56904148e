import { StatusError } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { AdmissionRequest } from '../contract.ts';
import type { AdmissionPlugin } from './plugin.ts';

export const eventLimitTypes = ['Server', 'Namespace', 'User', 'SourceAndObject'] as const;

/** So many Events for each key of its type: `qps` in the long run, `burst` at once. */
export interface EventLimit {
  readonly type: (typeof eventLimitTypes)[number];
  readonly qps: number;
  readonly burst: number;
  /** Keys that are kept, the last used ones. */
  readonly cacheSize: number;
}

interface ReportedEvent {
  readonly source?: { readonly component?: string; readonly host?: string };
  readonly involvedObject?: Readonly<Record<string, string | undefined>>;
}

function keyOf({ type }: EventLimit, r: AdmissionRequest): string {
  if (type === 'Namespace') return r.namespace;
  if (type === 'User') return r.user.name;
  if (type === 'Server') return '';
  const { source, involvedObject: o } = r.object as ReportedEvent;
  return [source?.component, source?.host, ...['kind', 'namespace', 'name', 'uid', 'apiVersion'].map((field) => o?.[field])].join('');
}

/** A token bucket for each key. */
function createBuckets({ qps, burst, cacheSize }: EventLimit, clock: Pick<Clock, 'now'>): { take(key: string): boolean } {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return {
    take: (key) => {
      const now = clock.now();
      const had = buckets.get(key) ?? { tokens: burst, atMs: now };
      const tokens = Math.min(burst, had.tokens + ((now - had.atMs) / 1000) * qps);
      buckets.delete(key);
      buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: now });
      if (buckets.size > cacheSize) buckets.delete(buckets.keys().next().value ?? '');
      return tokens >= 1;
    },
  };
}

/** Refuses Events beyond the limits that the configuration file sets. Off by default. */
export const eventRateLimit = (limits: readonly EventLimit[], clock: Pick<Clock, 'now'>): AdmissionPlugin => {
  const all = limits.map((limit) => ({ limit, buckets: createBuckets(limit, clock) }));
  return {
    name: 'EventRateLimit',
    handles: (r) => r.definition.kind === 'Event' && !r.dryRun && (r.operation === 'CREATE' || r.operation === 'UPDATE'),
    validate: (r) => {
      if (r.memo.has('EventRateLimit')) return;
      const reached = all
        .map(({ limit, buckets }) => ({ limit, key: keyOf(limit, r), buckets }))
        .filter(({ key, buckets }) => !buckets.take(key))
        .map(({ limit, key }) => `limit reached on type ${limit.type} for key ${key}`);
      if (reached.length > 0)
        throw new StatusError('TooManyRequests', reached.length === 1 ? (reached[0] ?? '') : `[${reached.join(', ')}]`);
      r.memo.set('EventRateLimit', true);
    },
  };
};
