import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RequestInfo } from '../contract.ts';
import type { InFlight } from '../in-flight.ts';

export interface RequestMetrics {
  observe(r: { info: RequestInfo | undefined; code: number; seconds: number; dryRun: string }): void;
  longRunningStarted(info: RequestInfo): void;
  longRunningEnded(info: RequestInfo): void;
}

const knownVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection']);

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
  const scope = info.name !== '' ? 'resource' : info.namespace !== '' ? 'namespace' : 'cluster';
  return { verb, group: info.group, version: info.version, resource: info.resource, subresource: info.subresource, scope };
}

/** Names and labels as upstream's. Requests that were refused before they were routed count without a resource. */
export function createRequestMetrics(registers: Registry[], inFlight: InFlight): RequestMetrics {
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
      this.set({ request_kind: 'readOnly' }, inFlight.count('readOnly'));
      this.set({ request_kind: 'mutating' }, inFlight.count('mutating'));
    },
  });
  const component = 'apiserver';
  return {
    observe: ({ info, code, seconds, dryRun }) => {
      // Only what was routed to something may become a series: paths and names of clients' invention must not.
      const labels = labelsOf(code === 404 || code === 403 || code === 401 ? undefined : info);
      total.inc({ ...labels, dry_run: dryRun === 'All' ? 'All' : '', component, code: String(code) });
      if (labels.verb !== 'WATCH') duration.observe({ ...labels, component }, seconds);
    },
    longRunningStarted: (info) => longRunning.inc({ ...labelsOf(info), component }),
    longRunningEnded: (info) => longRunning.dec({ ...labelsOf(info), component }),
  };
}
