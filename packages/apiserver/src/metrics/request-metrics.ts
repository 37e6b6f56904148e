import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RequestInfo } from '../contract.ts';
import type { FlowControl } from '../flow-control/flow-control.ts';

export interface RequestMetrics {
  observe(r: { info: RequestInfo | undefined; code: number; seconds: number; dryRun: string }): void;
  longRunningStarted(info: RequestInfo): void;
  longRunningEnded(info: RequestInfo): void;
}

const knownVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']);

const seriesLimit = 10_000;

const scopeOf = (info: RequestInfo): string => (info.name !== '' ? 'resource' : info.namespace !== '' ? 'namespace' : 'cluster');

/** Upstream's words for a request: verbs in capitals, PATCH and APPLY apart, CONNECT for streams; unknown ones can't add series. */
function labelsOf(info: RequestInfo | undefined): {
  verb: string;
  group: string;
  version: string;
  resource: string;
  subresource: string;
  scope: string;
} {
  if (info === undefined) return { verb: 'other', group: '', version: '', resource: '', subresource: '', scope: '' };
  if (!info.isResourceRequest)
    return {
      verb: knownVerbs.has(info.verb) ? info.verb.toUpperCase() : 'other',
      group: '',
      version: '',
      resource: '',
      subresource: '',
      scope: '',
    };
  const verb = { create: 'POST', update: 'PUT' }[info.verb] ?? (knownVerbs.has(info.verb) ? info.verb.toUpperCase() : 'other');
  return { verb, group: info.group, version: info.version, resource: info.resource, subresource: info.subresource, scope: scopeOf(info) };
}

/** Names and labels as upstream's. Requests that were refused before they were routed count without a resource. */
export function createRequestMetrics(registers: Registry[], flowControl: FlowControl): RequestMetrics {
  const identity = ['verb', 'group', 'version', 'resource', 'subresource', 'scope'] as const;
  const total = new Counter({
    name: 'apiserver_request_total',
    help: 'Requests by verb, dry run, resource and code.',
    labelNames: [...identity, 'dry_run', 'component', 'code'],
    registers,
  });
  const duration = new Histogram({
    name: 'apiserver_request_duration_seconds',
    help: 'Time to answer, without watches.',
    labelNames: [...identity, 'component'],
    buckets: [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60],
    registers,
  });
  const longRunning = new Gauge({
    name: 'apiserver_longrunning_requests',
    help: 'Watches and streams under way.',
    labelNames: [...identity, 'component'],
    registers,
  });
  new Gauge({
    name: 'apiserver_current_inflight_requests',
    help: 'Requests under way by kind.',
    labelNames: ['request_kind'],
    registers,
    collect() {
      this.set({ request_kind: 'readOnly' }, flowControl.count('readOnly'));
      this.set({ request_kind: 'mutating' }, flowControl.count('mutating'));
    },
  });
  const component = 'apiserver';
  /** Series by what they are made of: looking labels up costs prom-client more than many a request takes. */
  const series = new Map<string, { count(): void; time(seconds: number): void }>();
  const seriesOf = (info: RequestInfo | undefined, code: number, dryRun: boolean) => {
    // Only what was routed to something may become a series: paths and names of clients' invention must not.
    const shown = code === 404 || code === 403 || code === 401 ? undefined : info;
    const { verb = '', group = '', version = '', resource = '', subresource = '', isResourceRequest = false } = shown ?? {};
    const scope = shown === undefined ? '' : scopeOf(shown);
    const key = `${verb} ${group} ${version} ${resource} ${subresource} ${scope} ${isResourceRequest} ${code} ${dryRun}`;
    let found = series.get(key);
    if (found === undefined) {
      const labels = labelsOf(shown);
      const counter = total.labels({ ...labels, dry_run: dryRun ? 'All' : '', component, code: String(code) });
      const timer = labels.verb === 'WATCH' ? undefined : duration.labels({ ...labels, component });
      found = { count: () => counter.inc(), time: (seconds) => timer?.observe(seconds) };
      if (series.size >= seriesLimit) series.clear();
      series.set(key, found);
    }
    return found;
  };
  return {
    observe: ({ info, code, seconds, dryRun }) => {
      const found = seriesOf(info, code, dryRun === 'All');
      found.count();
      found.time(seconds);
    },
    longRunningStarted: (info) => longRunning.inc({ ...labelsOf(info), component }),
    longRunningEnded: (info) => longRunning.dec({ ...labelsOf(info), component }),
  };
}
