import type { Event } from '@skiff/api';
import { formatTime, type Clock } from '@skiff/component-base';
import { LruCache } from './lru-cache.ts';

/** client-go's numbers (tools/record). */
const cacheSize = 4096;
const similarMax = 10;
const similarIntervalMs = 600_000;
const spamBurst = 25;
const spamRefillPerSecond = 1 / 300;

/** What to send: a new Event, or a patch of one that was sent before. */
export type CorrelatedEvent =
  | { readonly action: 'create'; readonly event: Event; readonly key: string }
  | { readonly action: 'patch'; readonly event: Event; readonly key: string };

interface Observation {
  readonly name: string;
  readonly count: number;
  readonly firstTimestamp: string;
}
interface Similar {
  readonly messages: Set<string>;
  lastMs: number;
}
interface Bucket {
  tokens: number;
  atMs: number;
}

const subjectOf = (e: Event): string => {
  const o = e.involvedObject;
  return [e.source?.component, e.source?.host, o.kind, o.namespace, o.name, o.uid, o.apiVersion, e.type].join('\0');
};

/**
 * Keeps Events from flooding: an equal one raises the count of the one before, the tenth different message for one reason within
 * ten minutes is folded into a combined Event, and a subject has 25 Events at once and one more each five minutes.
 */
export function createEventCorrelator(clock: Clock): { correlate(event: Event): CorrelatedEvent | undefined } {
  const observations = new LruCache<string, Observation>(cacheSize);
  const similar = new LruCache<string, Similar>(cacheSize);
  const buckets = new LruCache<string, Bucket>(cacheSize);

  const isSpam = (subject: string): boolean => {
    const nowMs = clock.now();
    const bucket = buckets.get(subject) ?? { tokens: spamBurst, atMs: nowMs };
    bucket.tokens = Math.min(spamBurst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * spamRefillPerSecond);
    bucket.atMs = nowMs;
    buckets.set(subject, bucket);
    if (bucket.tokens < 1) return true;
    bucket.tokens -= 1;
    return false;
  };

  const aggregate = (event: Event): { event: Event; key: string } => {
    const nowMs = clock.now();
    const subject = subjectOf(event);
    const group = [subject, event.reason, event.reportingComponent, event.reportingInstance].join('\0');
    let seen = similar.get(group);
    if (seen === undefined || nowMs - seen.lastMs > similarIntervalMs) seen = { messages: new Set(), lastMs: nowMs };
    const message = event.message ?? '';
    seen.messages.add(message);
    seen.lastMs = nowMs;
    similar.set(group, seen);
    if (seen.messages.size < similarMax) return { event, key: [subject, event.involvedObject.fieldPath, event.reason, message].join('\0') };
    for (const one of seen.messages) {
      seen.messages.delete(one);
      break;
    }
    return { event: { ...event, message: `(combined from similar events): ${message}` }, key: group };
  };

  return {
    correlate: (incoming) => {
      const { event, key } = aggregate(incoming);
      const known = observations.get(key);
      const metadata = known === undefined ? event.metadata : { ...event.metadata, name: known.name };
      const counted: Event = {
        ...event,
        metadata,
        count: (known?.count ?? 0) + 1,
        firstTimestamp: known?.firstTimestamp ?? formatTime(clock.now()),
        lastTimestamp: formatTime(clock.now()),
      };
      observations.set(key, { name: metadata.name ?? '', count: counted.count ?? 1, firstTimestamp: counted.firstTimestamp ?? '' });
      if (isSpam(subjectOf(event))) return undefined;
      return { action: known === undefined ? 'create' : 'patch', event: counted, key };
    },
  };
}
