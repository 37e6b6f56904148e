import { readFileSync } from 'node:fs';
import { aborted, supervise, type Clock, type Logger } from '@skiff/component-base';
import { createEventRecorder, createInformerFactory, type Client } from '@skiff/client';
import { join } from 'node:path';
import type { ClusterObjects } from './cluster-objects.ts';
import { createControlSocket } from './control-socket.ts';
import type { DataLink } from './data-link.ts';
import type { FrontendProblem } from './data/protocol.ts';
import { createForwarder } from './dns/forwarder.ts';
import { upstreamServers } from './dns/resolv-conf.ts';
import { createResolver } from './dns/resolver.ts';
import { createDnsServer } from './dns/server.ts';
import { createZone, type ZoneSource } from './dns/zone.ts';
import { createHealthCheckPorts } from './health-check-ports.ts';
import { createHealthServer } from './health-server.ts';
import type { HostNames } from './host/names.ts';
import type { HostSetup } from './host/host-setup.ts';
import { createInformedState, hostAddresses } from './informed-state.ts';
import { announcedPath } from './announce/announced-file.ts';
import { createAnnouncer } from './announce/announcer.ts';
import { createLiveness } from './announce/liveness.ts';
import { segmentOf } from './announce/neighbours.ts';
import { announcerView } from './announce/view.ts';
import type { RunCommand } from './host/command.ts';
import type { NodePortAddresses } from './table/node-port-addresses.ts';
import { essentialNode, peerAddresses, peerOf } from './table/peers.ts';
import { createMemory, type Remembered } from './remembered.ts';
import type { ProxyMetrics } from './metrics.ts';
import { cidrMatcher } from './table/ip.ts';
import { createPortProblems } from './port-problems.ts';
import { createRenderer } from './table/render.ts';
import type { DataTable } from './table/types.ts';

export interface ProxyConfig {
  readonly names: HostNames;
  readonly rootDir: string;
  readonly nodeName: string;
  readonly serviceCidrs: readonly string[];
  readonly clusterCidr: string;
  readonly shadowCidr: string;
  readonly clusterDns: string;
  readonly clusterDomain: string;
  readonly nodePortAddresses: NodePortAddresses;
  readonly healthzPort: number;
  readonly livenessPort: number;
  readonly resolvConf: string;
  /** From an earlier run; used until the apiserver answers. */
  readonly remembered: Remembered | undefined;
}

export const memoryPath = (rootDir: string): string => join(rootDir, 'remembered.json');

export interface ProxyDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly run: RunCommand;
  readonly host: HostSetup;
  readonly data: DataLink;
  readonly metrics: ProxyMetrics;
}

/** Changes that come together are rendered together. */
const gatherMs = 2;
const addressCheckMs = 10_000;
/** Where DNS over TCP listens on the link's own address, unless it is taken. */
const dnsTcpPort = 10_053;

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

export interface Proxy {
  run(signal: AbortSignal): Promise<void>;
  /** What proxy-data said of the table it has: listeners that could not be opened. */
  onProblems(problems: readonly FrontendProblem[]): void;
}

/** Keeps host and proxy-data in line with Services and EndpointSlices, and answers DNS. */
export function createProxy(config: ProxyConfig, deps: ProxyDeps): Proxy {
  const { clock, log, host, data, metrics } = deps;
  const informers = createInformerFactory({}, { client: deps.client, clock, log });
  const renderer = createRenderer({
    clusterCidr: config.clusterCidr,
    shadowCidr: config.shadowCidr,
    nodePortAddresses: config.nodePortAddresses,
  });
  const healthChecks = createHealthCheckPorts({ log });
  const relaySocket = join(config.rootDir, 'dns.sock');
  const poolNames = (): ReadonlySet<string> => new Set(state.objects.poolAddresses.map((a) => a.metadata?.name ?? ''));
  // An address that is announced is the host's own for moments only.
  const ownAddresses = (): readonly string[] => {
    const pool = poolNames();
    return hostAddresses().filter((a) => !pool.has(a));
  };
  let addresses = hostAddresses();
  const events = createEventRecorder({ component: 'kube-proxy', host: config.nodeName }, { client: deps.client, clock, log });
  const portProblems = createPortProblems(config, { events, service: (namespace, name) => state.objects.service(namespace, name) });
  let table: DataTable | undefined;
  let scheduled = false;
  let firstChangeMs: number | undefined;
  let renderTookMs = 0;

  const state = createInformedState(config, informers, () => {
    firstChangeMs ??= clock.monotonicMs();
    schedule();
  });

  const memory = createMemory({ path: memoryPath(config.rootDir) }, { read: () => pickRemembered(state.objects), clock, log });

  const isOwn = cidrMatcher([...config.serviceCidrs, config.clusterCidr, config.shadowCidr]);
  // Which objects there are to ask changes once, when the informers have listed.
  const zoneSource: ZoneSource = {
    service: (namespace, name) => state.objects.service(namespace, name),
    slicesOf: (namespace, name) => state.objects.slicesOf(namespace, name),
    hasNamespace: (namespace) => state.objects.hasNamespace(namespace),
    servicesByAddress: (address) => state.objects.servicesByAddress(address),
    slicesByAddress: (address) => state.objects.slicesByAddress(address),
  };
  const zone = createZone({ domain: config.clusterDomain, dnsAddress: config.clusterDns, ownsAddress: isOwn }, zoneSource);
  const resolv = (path: string): string | undefined => readText(path === '/etc/resolv.conf' ? config.resolvConf : path);
  const forwarder = createForwarder({ clock, servers: () => upstreamServers(resolv, isOwn) });
  const resolver = createResolver(
    { domain: config.clusterDomain },
    { zone, forwarder, clock, random: Math.random, isSynced: () => state.isKnown, onAnswer: metrics.dnsAnswered },
  );
  const dns = createDnsServer({ relaySocket, tcpAddress: config.names.hostAddress, tcpPort: dnsTcpPort }, { resolver });
  const health = createHealthServer(
    { port: config.healthzPort, metricsAddress: config.names.hostAddress },
    { log, metrics, isHealthy: () => data.connected, stats: () => data.stats() },
  );
  const announcer = createAnnouncer(
    { nodeName: config.nodeName, path: announcedPath(config.rootDir) },
    {
      client: deps.client,
      clock,
      log,
      run: deps.run,
      liveness: createLiveness({ port: config.livenessPort }, { clock }),
      segmentOf,
      isHealthy: () => data.connected,
    },
  );
  const control = createControlSocket({ path: join(config.rootDir, 'control.sock') }, { data, log });

  function schedule(): void {
    if (scheduled || !state.isKnown) return;
    scheduled = true;
    // Under a storm of changes half of the time is left for others.
    setTimeout(render, Math.max(gatherMs, renderTookMs)).unref();
  }

  function render(): void {
    scheduled = false;
    const startedMs = clock.monotonicMs();
    const { objects, isSynced } = state;
    const changes = state.takeChanges();
    const peers = objects.nodes.map(peerOf);
    const own = state.node.internalAddresses.find((a) => !a.includes(':'));
    const rendered = renderer.render(
      {
        node: state.node,
        services: objects.services,
        slicesOf: (key) => {
          const [namespace = '', name = ''] = key.split('/');
          return objects.slicesOf(namespace, name);
        },
        hostAddresses: addresses,
        // Addresses of the pool are no node's, whatever nodes say of themselves.
        nodeAddresses: new Set(peers.flatMap((p) => p.addresses).filter((a) => !poolNames().has(a))),
        liveness:
          peers.length > 1 && own !== undefined && objects.poolAddresses.length > 0
            ? { address: own, port: config.livenessPort }
            : undefined,
        dns: {
          address: config.clusterDns,
          relaySocket,
          tcp: { address: config.names.hostAddress, port: dns.tcpPort },
          metrics: health.metricsPort === undefined ? undefined : { address: config.names.hostAddress, port: health.metricsPort },
        },
      },
      changes.all ? undefined : changes.services,
    );
    table = rendered.table;
    // What was remembered is older than the table of a proxy-data that has one.
    if (isSynced) data.setTable(rendered.table);
    else data.setFallback(rendered.table);
    if (isSynced) memory.changed();
    host.update({
      ...rendered.host,
      serviceCidrs: state.serviceCidrs,
      nodeAddress: own,
      peerAddresses: objects.poolAddresses.length === 0 ? [] : peerAddresses(peers, config.nodeName),
    });
    healthChecks.update(rendered.healthChecks);
    announcer.update(announcerView(objects, peers));
    const endedMs = clock.monotonicMs();
    renderTookMs = endedMs - startedMs;
    metrics.fromMemory(!isSynced);
    metrics.rendered(renderTookMs, endedMs - (firstChangeMs ?? startedMs), Object.keys(rendered.table.frontends).length);
    firstChangeMs = undefined;
  }

  async function watchAddresses(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = ownAddresses();
      if (now.join() !== addresses.join()) {
        addresses = now;
        state.touch();
      }
      await clock.sleep(addressCheckMs, signal).catch(() => undefined);
    }
  }

  return {
    onProblems: (problems) => portProblems.update(table, problems),
    run: async (signal) => {
      const o = { signal, clock, log };
      const afterHost = (run: (s: AbortSignal) => Promise<void>) => async (s: AbortSignal) => {
        await Promise.race([host.ready, aborted(s)]);
        if (!s.aborted) await run(s);
      };
      const running = [
        supervise('host', (s) => host.run(s), o),
        supervise('informers', (s) => informers.run(s), o),
        supervise(
          'dns',
          afterHost((s) => dns.run(s)),
          o,
        ),
        supervise(
          'health',
          afterHost((s) => health.run(s)),
          o,
        ),
        supervise(
          'proxy-data',
          afterHost((s) => data.run(s)),
          o,
        ),
        supervise('control', (s) => control.run(s), o),
        supervise('events', (s) => events.run(s), o),
        supervise(
          'announcer',
          afterHost((s) => announcer.run(s)),
          o,
        ),
        supervise('addresses', watchAddresses, o),
        supervise('health-checks', (s) => healthChecks.run(s), o),
      ];
      const listening = Promise.all([dns.listening, health.listening]);
      void listening.then(() => {
        if (!state.isSynced && state.isKnown) state.touch();
      });
      void Promise.all([state.synced, listening]).then(() => {
        state.touch();
        log.info({ services: state.objects.services.length }, 'synced');
      });
      await Promise.all(running);
      memory.close();
    },
  };
}

const pickRemembered = ({ services, slices, nodes, poolAddresses }: ClusterObjects): Remembered => ({
  services,
  slices,
  nodes: nodes.map(essentialNode),
  poolAddresses,
});
