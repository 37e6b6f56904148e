import type { Registry } from 'prom-client';
import type { RequestInfo } from '../contract.ts';
import type { FlowControl } from '../flow-control/flow-control.ts';
import { deprecatedApis } from '../request/deprecations.ts';
import { Buckets, bucketSamples, type Labels, registerSampled, type Samples } from './sampled-metric.ts';

export interface ObservedRequest {
  readonly info: RequestInfo | undefined;
  readonly code: number;
  readonly seconds: number;
  readonly dryRun: string;
  /** Of the body, where they are known beforehand. */
  readonly bytes: number | undefined;
}

export interface RequestMetrics {
  observe(r: ObservedRequest): void;
  longRunningStarted(info: RequestInfo): void;
  longRunningEnded(info: RequestInfo): void;
}

const knownVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']);
const durationBounds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];
const sizeBounds = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/** Beyond it series begin anew: clients can't make the process grow by what they ask for. */
const seriesLimit = 10_000;

const scopeOf = (info: RequestInfo): string => (info.name !== '' ? 'resource' : info.namespace !== '' ? 'namespace' : 'cluster');

/** Upstream's words for a request: verbs in capitals, CONNECT for streams; unknown ones can't add series. */
function labelsOf(info: RequestInfo | undefined): Labels {
  if (info === undefined) return { component: '', group: '', resource: '', scope: '', subresource: '', verb: 'other', version: '' };
  const verb = { create: 'POST', update: 'PUT' }[info.verb] ?? (knownVerbs.has(info.verb) ? info.verb.toUpperCase() : 'other');
  if (!info.isResourceRequest) return { component: '', group: '', resource: '', scope: '', subresource: info.path, verb, version: '' };
  const { group, resource, subresource, version } = info;
  return { component: 'apiserver', group, resource, scope: scopeOf(info), subresource, verb, version };
}

/** Counted under one code and dry run; `timed` is shared by all codes. */
interface Series {
  readonly labels: Labels;
  readonly dryRun: string;
  readonly code: number;
  count: number;
  readonly timed: Buckets | undefined;
  readonly sizes: Buckets | undefined;
}

/** Names and labels as upstream's. Requests that were refused before they were routed count without a resource. */
export function createRequestMetrics(registers: readonly Registry[], flowControl: FlowControl): RequestMetrics {
  const series = new Map<string, Series>();
  const timed = new Map<string, { labels: Labels; buckets: Buckets }>();
  const sizes = new Map<string, { labels: Labels; buckets: Buckets }>();
  const longRunning = new Map<string, { labels: Labels; count: number }>();
  const deprecated = new Set<string>();

  const add = (name: string, help: string, o: { type: 'counter' | 'gauge' | 'histogram'; sample: () => Samples }): void =>
    registerSampled(registers, { name, help, ...o });
  const total = 'apiserver_request_total';
  add(total, 'Requests by verb, dry run, resource and code.', {
    type: 'counter',
    sample: () =>
      [...series.values()].map((s) => ({
        metricName: total,
        labels: { code: String(s.code), dry_run: s.dryRun, ...s.labels },
        value: s.count,
      })),
  });
  const duration = 'apiserver_request_duration_seconds';
  add(duration, 'Time to answer, without watches.', {
    type: 'histogram',
    sample: () => [...timed.values()].flatMap((s) => bucketSamples(duration, s.labels, s.buckets)),
  });
  const responseSizes = 'apiserver_response_sizes';
  add(responseSizes, 'Bytes of answers to reads, before compression.', {
    type: 'histogram',
    sample: () => [...sizes.values()].flatMap((s) => bucketSamples(responseSizes, s.labels, s.buckets)),
  });
  const longRunningName = 'apiserver_longrunning_requests';
  add(longRunningName, 'Watches and streams under way.', {
    type: 'gauge',
    sample: () => [...longRunning.values()].map((s) => ({ metricName: longRunningName, labels: { ...s.labels }, value: s.count })),
  });
  const inFlight = 'apiserver_current_inflight_requests';
  add(inFlight, 'Requests under way by kind.', {
    type: 'gauge',
    sample: () =>
      (['mutating', 'readOnly'] as const).map((kind) => ({
        metricName: inFlight,
        labels: { request_kind: kind },
        value: flowControl.count(kind),
      })),
  });
  const inQueue = 'apiserver_current_inqueue_requests';
  add(inQueue, 'Requests that wait for seats, by kind.', {
    type: 'gauge',
    sample: () =>
      (['mutating', 'readOnly'] as const).map((kind) => ({
        metricName: inQueue,
        labels: { request_kind: kind },
        value: flowControl.waiting(kind),
      })),
  });
  const deprecatedName = 'apiserver_requested_deprecated_apis';
  add(deprecatedName, 'Deprecated APIs that were asked for.', {
    type: 'gauge',
    sample: () =>
      [...deprecated].map((key) => {
        const [group = '', version = '', resource = '', subresource = ''] = key.split('/');
        return { metricName: deprecatedName, labels: { group, removed_release: '', resource, subresource, version }, value: 1 };
      }),
  });

  const bucketsOf = (from: typeof timed, labels: Labels, bounds: readonly number[]): Buckets => {
    const key = Object.values(labels).join(' ');
    let found = from.get(key);
    if (found === undefined) {
      found = { labels, buckets: new Buckets(bounds) };
      from.set(key, found);
    }
    return found.buckets;
  };
  const forget = (): void => {
    for (const map of [series, timed, sizes]) map.clear();
  };
  const make = (shown: RequestInfo | undefined, code: number, dryRun: string): Series => {
    const labels = labelsOf(shown);
    const { component: _, ...unversioned } = labels;
    const read = labels['verb'] === 'GET' || labels['verb'] === 'LIST';
    return {
      labels,
      dryRun,
      code,
      count: 0,
      timed:
        labels['verb'] === 'WATCH'
          ? undefined
          : bucketsOf(timed, { component: labels['component'] ?? '', dry_run: dryRun, ...unversioned }, durationBounds),
      sizes: read ? bucketsOf(sizes, labels, sizeBounds) : undefined,
    };
  };
  const change = (info: RequestInfo, by: number): void => {
    const labels = labelsOf(info);
    const key = Object.values(labels).join(' ');
    const found = longRunning.get(key);
    if (found === undefined) longRunning.set(key, { labels, count: by });
    else found.count += by;
    if (found?.count === 0) longRunning.delete(key);
  };

  return {
    observe: ({ info, code, seconds, dryRun, bytes }) => {
      // Only what was routed to something may become a series: paths and names of clients' invention must not.
      const shown = code === 404 || code === 403 || code === 401 ? undefined : info;
      const { verb = '', group = '', version = '', resource = '', subresource = '', isResourceRequest = false } = shown ?? {};
      const where = shown === undefined ? '' : isResourceRequest ? scopeOf(shown) : shown.path;
      const dry = dryRun === 'All' ? 'All' : '';
      const key = `${verb} ${group} ${version} ${resource} ${subresource} ${where} ${code} ${dry}`;
      let found = series.get(key);
      if (found === undefined) {
        if (series.size >= seriesLimit) forget();
        found = make(shown, code, dry);
        series.set(key, found);
        const api = `${group}/${version}/${resource}`;
        if (isResourceRequest && deprecatedApis.has(api)) deprecated.add(`${api}/${subresource}`);
      }
      found.count++;
      found.timed?.observe(seconds);
      if (bytes !== undefined && code === 200) found.sizes?.observe(bytes);
    },
    longRunningStarted: (info) => change(info, 1),
    longRunningEnded: (info) => change(info, -1),
  };
}
