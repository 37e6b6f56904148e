import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { DataStats } from './data/protocol.ts';

/** What /metrics says. Names of kube-proxy and CoreDNS are kept where the meaning is the same. */
export interface ProxyMetrics {
  rendered(tookMs: number, sinceChangeMs: number, frontends: number): void;
  dnsAnswered(type: string, rcode: number): void;
  problems(count: number): void;
  /** What is served was remembered: the apiserver has not been reached since this process started. */
  fromMemory(is: boolean): void;
  /** `stats` is what proxy-data says of itself; undefined when it isn't there. */
  text(stats: DataStats | undefined): Promise<string>;
  readonly contentType: string;
}

const knownTypes = new Set(['A', 'AAAA', 'SRV', 'PTR', 'CNAME', 'TXT', 'MX', 'NS', 'SOA', 'HTTPS', 'SVCB']);

export function createMetrics(): ProxyMetrics {
  const registry = new Registry();
  const registers = [registry];
  const buckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5];
  const sync = new Histogram({
    name: 'kubeproxy_sync_proxy_rules_duration_seconds',
    help: 'Time to compute the table.',
    buckets,
    registers,
  });
  const programming = new Histogram({
    name: 'kubeproxy_network_programming_duration_seconds',
    help: 'Time from the first of the changes seen to the table sent.',
    buckets,
    registers,
  });
  const frontends = new Gauge({ name: 'skiff_proxy_frontends', help: 'Addresses that are to be listened on.', registers });
  const problems = new Gauge({ name: 'skiff_proxy_frontend_problems', help: "Of these, how many can't be opened.", registers });
  const memory = new Gauge({
    name: 'skiff_proxy_from_memory',
    help: 'Whether what is served was remembered, since no apiserver has answered yet.',
    registers,
  });
  const answers = new Counter({ name: 'coredns_dns_responses_total', help: 'DNS answers.', labelNames: ['type', 'rcode'], registers });
  const up = new Gauge({ name: 'skiff_proxy_data_up', help: 'Whether proxy-data answers.', registers });
  const open = new Gauge({ name: 'skiff_proxy_data_connections', help: 'Open connections.', registers });
  const sessions = new Gauge({ name: 'skiff_proxy_data_udp_sessions', help: 'Open UDP sessions.', registers });
  const shed = new Gauge({ name: 'skiff_proxy_data_shed_total', help: 'Connections reset for want of file descriptors.', registers });
  const groupOpen = new Gauge({
    name: 'skiff_proxy_group_connections',
    help: 'Open connections by Service port.',
    labelNames: ['group'],
    registers,
  });
  const groupTotal = new Gauge({
    name: 'skiff_proxy_group_connections_total',
    help: 'Connections by Service port.',
    labelNames: ['group'],
    registers,
  });
  const groupRetries = new Gauge({
    name: 'skiff_proxy_group_retries_total',
    help: 'Connects tried again on another endpoint.',
    labelNames: ['group'],
    registers,
  });
  const groupFailures = new Gauge({
    name: 'skiff_proxy_group_failures_total',
    help: 'Clients for whom no endpoint was found.',
    labelNames: ['group'],
    registers,
  });
  return {
    rendered: (tookMs, sinceChangeMs, count) => {
      sync.observe(tookMs / 1000);
      programming.observe(sinceChangeMs / 1000);
      frontends.set(count);
    },
    dnsAnswered: (type, rcode) => answers.inc({ type: knownTypes.has(type) ? type : 'other', rcode: String(rcode) }),
    fromMemory: (is) => memory.set(is ? 1 : 0),
    problems: (count) => problems.set(count),
    contentType: registry.contentType,
    text: async (stats) => {
      up.set(stats === undefined ? 0 : 1);
      if (stats !== undefined) {
        open.set(stats.openConnections);
        sessions.set(stats.udpSessions);
        shed.set(stats.shed);
        for (const gauge of [groupOpen, groupTotal, groupRetries, groupFailures]) gauge.reset();
        for (const [group, s] of Object.entries(stats.groups)) {
          groupOpen.set({ group }, s.open);
          groupTotal.set({ group }, s.connections);
          groupRetries.set({ group }, s.retries);
          groupFailures.set({ group }, s.failures);
        }
      }
      return registry.metrics();
    },
  };
}
