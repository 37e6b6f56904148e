import { setMaxListeners } from 'node:events';
import { builtinResources } from '@skiff/api';
import { aborted, type Clock, type Logger, supervise } from '@skiff/component-base';
import type { DurableStore, RevisionedStore } from '@skiff/storage';
import { Registry as MetricsRegistry } from 'prom-client';
import { openAudit } from './audit/audit.ts';
import { openExternalAuthentication } from './authn/external.ts';
import { readServiceAccountKeys } from './authn/service-account-keys.ts';
import { unionAuthorizer } from './authz/authorizer.ts';
import { alwaysAllowPaths } from './authz/privileged.ts';
import { runRoleAggregation } from './bootstrap/aggregate-roles.ts';
import { createBootstrap } from './bootstrap/bootstrap.ts';
import { runFlowObjects } from './bootstrap/flow-objects.ts';
import { runKubernetesService } from './bootstrap/kubernetes-service.ts';
import { ensureAuthenticationConfig, type SystemObjectsConfig } from './bootstrap/system-objects.ts';
import { withMetricsApi } from './metrics-api/metrics-api.ts';
import { createAvailabilityMetrics } from './aggregation/availability-metrics.ts';
import { createAggregation } from './aggregation/aggregation.ts';
import type { ApiServerConfig } from './config.ts';
import { createConnectHandlers } from './connect/handlers.ts';
import { createKubeletClient } from './connect/kubelet-client.ts';
import type { RegistryConfig, RegistryDeps, ResourceRegistry } from './contract.ts';
import { createAdmissionMetrics } from './admission/admission-metrics.ts';
import { admitConnect } from './admission/connect.ts';
import { CustomResources } from './custom-resources/custom-resources.ts';
import { callEndpoint, connectHandlers, servedVersions } from './dispatch.ts';
import type { HeavyLane } from './heavy/heavy-lane.ts';
import { callWithLane } from './heavy/is-heavy.ts';
import { flowControlDumps } from './flow-control/debug-dumps.ts';
import { FlowController } from './flow-control/flow-control.ts';
import { registerFlowMetrics } from './flow-control/flow-metrics.ts';
import { createInFlight } from './in-flight.ts';
import { registerBuildInfo } from './metrics/build-info.ts';
import { registerProcessMetrics } from './metrics/process-metrics.ts';
import { createRequestMetrics } from './metrics/request-metrics.ts';
import { registerStorageMetrics } from './metrics/storage-metrics.ts';
import { createPathTable } from './paths.ts';
import { createPipeline } from './pipeline.ts';
import { createRoutes } from './routes.ts';
import { createServedApi } from './served-api.ts';
import type { Exchange } from './server/exchange.ts';
import { createListener } from './server/listener.ts';
import { followTlsFiles, readTlsFiles } from './server/tls-files.ts';
import { UnsentBytes } from './server/unsent.ts';
import { createPolicyMetrics } from './admission/policy/policy-metrics.ts';
import { createWebhookTransport } from './admission/webhook/client.ts';
import { createDialer } from './tunnel/dialer.ts';
import { createDrainCoordinator } from './tunnel/drain.ts';
import { createTunnelService } from './tunnel/tunnel-service.ts';
import { createTunnels } from './tunnel/tunnels.ts';

export interface ApiServerDeps {
  readonly store: DurableStore;
  readonly ephemeralStore?: RevisionedStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly createRegistry: (config: RegistryConfig, deps: RegistryDeps) => ResourceRegistry;
  /** Absent: everything is done in place. */
  readonly heavyLane?: HeavyLane;
  /** The process's flags, for those who look into it. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

export interface ApiServer {
  /** Resolves with the port once everything that every cluster has is there; rejects when `run` fails before. */
  readonly ready: Promise<{ readonly port: number }>;
  /** Serves until `signal` aborts, then drains. Rejects when it can't start. */
  run(signal: AbortSignal): Promise<void>;
}

/** These answer everyone, so that probes need no credentials; reviews don't count it as a right. */
const healthPaths = ['/healthz', '/readyz', '/livez'];
const bodyLimitBytes = 3 * 1024 * 1024;
const unsentLimits = { processBytes: 256 * 1024 * 1024, stallMs: 60_000 };
const certificateCheckMs = 3_000;
const drainMs = 10_000;
const farewellMs = 1_000;

/** Assembles the server. Does no I/O before `run`. */
export function createApiServer(config: ApiServerConfig, deps: ApiServerDeps): ApiServer {
  const { clock, log } = deps;
  let announce: (value: { port: number }) => void = () => undefined;
  let refuse: (reason: unknown) => void = () => undefined;
  const ready = new Promise<{ port: number }>((resolve, reject) => {
    announce = resolve;
    refuse = reject;
  });
  ready.catch(() => undefined);

  const serve = async (signal: AbortSignal): Promise<void> => {
    const startedMs = clock.monotonicMs();
    const startedAtSeconds = clock.now() / 1000;
    const [firstMaterial, keys] = await Promise.all([readTlsFiles(config.tls), readServiceAccountKeys(config.serviceAccounts)]);
    let material = firstMaterial;
    let port = config.securePort;
    const serverAddress = (): string => `${config.advertiseAddress}:${port}`;
    const state = { initialized: false, stopping: false };

    const tunnels = createTunnels({ clock, log: log.child({ part: 'tunnel' }) });
    const dialer = createDialer({ mode: config.tunnel.mode, timeoutMs: config.tunnel.dialTimeoutMs }, { tunnels });
    const webhooks = createWebhookTransport({ dialer });
    deps.heavyLane?.callWebhooksBy(webhooks);
    const external =
      config.externalAuthentication &&
      openExternalAuthentication(config.externalAuthentication, { ownIssuers: config.serviceAccounts.issuers, clock, log });
    const metricsRegistry = new MetricsRegistry();
    const api = createServedApi(config, {
      admissionMetrics: createAdmissionMetrics([metricsRegistry], clock.monotonicMs),
      policyMetrics: createPolicyMetrics([metricsRegistry]),
      store: deps.store,
      ...(deps.ephemeralStore === undefined ? {} : { ephemeralStore: deps.ephemeralStore }),
      createRegistry: deps.createRegistry,
      ...(deps.heavyLane === undefined ? {} : { formOf: deps.heavyLane.formOf }),
      webhooks,
      material: () => material,
      keys,
      external,
      clock,
      log,
    });
    const { registry, authorization, authentication } = api;

    const systemObjects: SystemObjectsConfig = {
      advertiseAddress: config.advertiseAddress,
      get securePort() {
        return port;
      },
      serviceClusterIpRanges: config.serviceClusterIpRanges,
      get clientCaPem() {
        return material.clientCa?.pem;
      },
      get requestHeader() {
        return { caPem: material.requestHeaderCa?.pem, allowedNames: config.requestHeaderAllowedNames };
      },
    };
    const { objects, members } = registry;
    const bootstrap = createBootstrap(systemObjects, { objects, members, definitions: builtinResources, nowMs: clock.now, log });

    const kubelets = createKubeletClient(config.kubelet, { dialer });
    registerProcessMetrics([metricsRegistry], startedAtSeconds);
    const audit =
      config.audit === undefined
        ? undefined
        : openAudit(config.audit, { clock, log: log.child({ part: 'audit' }), registers: [metricsRegistry] });
    const serverSeats = config.inFlight.readOnly + config.inFlight.mutating;
    const flowController =
      config.priorityAndFairness && serverSeats > 0
        ? new FlowController({ serverSeats }, { objects, listExtent: registry.extent, clock, log: log.child({ part: 'flow-control' }) })
        : undefined;
    const flowControl = flowController ?? createInFlight(config.inFlight);
    registerStorageMetrics([metricsRegistry], registry, deps.store);
    registerBuildInfo([metricsRegistry]);
    if (flowController !== undefined) registerFlowMetrics([metricsRegistry], flowController);
    const unsent = new UnsentBytes(unsentLimits, clock.monotonicMs);
    const aggregation = createAggregation(config.proxyClient, {
      registry,
      dialer,
      unsent,
      clock,
      metrics: createAvailabilityMetrics([metricsRegistry]),
      log: log.child({ part: 'aggregation' }),
    });
    const stopping = new AbortController();
    // Every watch listens to it.
    setMaxListeners(0, stopping.signal);
    const pipeline = createPipeline(
      { requestTimeoutMs: config.requestTimeoutMs, bodyLimitBytes },
      {
        authenticate: authentication.authenticate,
        authorizer: unionAuthorizer([alwaysAllowPaths(healthPaths), authorization.authorizer]),
        flowControl,
        registry: api.endpoints,
        servesVersion: servedVersions(registry),
        paths: createPathTable(
          createRoutes(config, {
            registry,
            serverAddress,
            bootstrap,
            sources: aggregation.sources,
            metricsRegistry,
            store: deps.store,
            keys: keys.verification,
            state,
            debugRoutes: flowController === undefined ? [] : flowControlDumps(flowController, clock),
            flags: deps.flags ?? {},
            startedMs: startedAtSeconds * 1000,
            nowMs: clock.now,
            log,
          }),
        ),
        admitConnect: (r, lifetime) => admitConnect(api.admission(), r, lifetime),
        extensions: withMetricsApi(aggregation.proxy, { objects: registry.objects, kubelets, unsent, clock }),
        connects: connectHandlers(createConnectHandlers({ objects: registry.objects, authorizer: authorization.authorizer, kubelets })),
        call: deps.heavyLane === undefined ? callEndpoint : callWithLane(deps.heavyLane, registry),
        unsent,
        audit,
        metrics: createRequestMetrics([metricsRegistry], flowControl),
        clock,
        log: log.child({ part: 'http' }),
        stopping: stopping.signal,
        initialized: () => state.initialized,
      },
    );

    const tunnelService = createTunnelService(
      { maxConnections: config.tunnel.maxConnections },
      {
        tunnels,
        drains: createDrainCoordinator({ objects: registry.objects, tunnels, clock, log: log.child({ part: 'drain' }) }),
        authenticate: authentication.authenticate,
        stopping: stopping.signal,
        clock,
        log: log.child({ part: 'tunnel' }),
      },
    );
    const serveRequest = (x: Exchange): Promise<void> => (tunnelService.handles(x) ? tunnelService.serve(x) : pipeline(x));

    /** Extension apiservers and kubelets learn of new authorities. */
    const publishAuthorities = async (): Promise<void> => {
      try {
        if (state.initialized) await ensureAuthenticationConfig(objects, systemObjects);
      } catch (error) {
        log.warn({ err: error }, 'the ConfigMap extension-apiserver-authentication could not be brought up to date');
      }
    };
    const listener = createListener(
      { address: config.bindAddress, port: config.securePort, goawayChance: config.goawayChance, drainMs },
      { material, serve: serveRequest, log },
    );
    port = await listener.listen();
    log.info({ port }, 'listening');

    // What runs beside requests lives until the last of them is answered.
    const background = new AbortController();
    // Each loop listens to it, and there are a dozen; one that listened anew at each turn would be told.
    setMaxListeners(20, background.signal);
    const loops = [
      supervise('registry', (s) => registry.run(s), { signal: background.signal, clock, log }),
      followTlsFiles(config.tls, material, {
        intervalMs: certificateCheckMs,
        clock,
        log,
        signal: background.signal,
        changed: (next) => {
          material = next;
          listener.useCertificates(next);
          void publishAuthorities();
        },
      }),
      ...(audit === undefined ? [] : [audit.run(background.signal)]),
      ...(external === undefined ? [] : [external.follow(background.signal)]),
      authorization.follow(background.signal),
      sweepUnsent(unsent, clock, background.signal),
      supervise('tunnels', (s) => tunnels.run(s), { signal: stopping.signal, clock, log }),
    ];
    const customResources = new CustomResources({ registry, clock, log: log.child({ part: 'custom-resources' }) });
    const followFlowObjects = (controller: FlowController): void => {
      const ensure = (s: AbortSignal): Promise<void> => runFlowObjects({ objects, clock, log }, s);
      loops.push(supervise('flow-objects', ensure, { signal: background.signal, clock, log }));
      loops.push(supervise('flow-control', (s) => controller.run(s), { signal: background.signal, clock, log }));
    };
    const startAggregation = (): void => {
      const run = (s: AbortSignal): Promise<void> => runRoleAggregation({ objects: registry.objects, clock, log }, s);
      loops.push(supervise('cluster-role-aggregation', run, { signal: background.signal, clock, log }));
    };
    let membership: Promise<void> | undefined;
    let extensions: Promise<void> | undefined;
    const bringUp = async (): Promise<void> => {
      await registry.ready(signal);
      customResources.serve();
      loops.push(supervise('custom-resources', (s) => customResources.run(s), { signal: background.signal, clock, log }));
      await supervise(
        'bootstrap',
        async (s) => {
          await bootstrap.run();
          flowController?.load();
          state.initialized = true;
          startAggregation();
          if (flowController !== undefined) followFlowObjects(flowController);
          extensions ??= aggregation.run(background.signal);
          membership ??= runKubernetesService(systemObjects, { objects, members, clock, log }, signal);
          announce({ port });
          log.info({ port, tookMs: Math.round(clock.monotonicMs() - startedMs) }, 'ready');
          await aborted(s);
        },
        { signal, clock, log, backoff: { initialMs: 200, maxMs: 5000 } },
      );
    };
    try {
      await bringUp();
      await aborted(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      state.stopping = true;
      // The others take this one out while it still answers.
      if (membership !== undefined) await Promise.race([membership, clock.sleep(farewellMs)]);
      if (config.shutdownDelayMs > 0 && state.initialized) await clock.sleep(config.shutdownDelayMs);
      stopping.abort(new Error('the server is shutting down'));
      await listener.close();
      background.abort(new Error('the server has stopped'));
      await Promise.allSettled([...loops, extensions]);
      aggregation.close();
      kubelets.close();
      webhooks.close();
      external?.[Symbol.dispose]();
      authorization[Symbol.dispose]();
      metricsRegistry.clear();
    }
  };

  return {
    ready,
    run: async (signal) => {
      try {
        await serve(signal);
      } catch (error) {
        refuse(error);
        throw error;
      }
    },
  };
}

async function sweepUnsent(unsent: UnsentBytes, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(5000, signal);
    } catch {
      return;
    }
    unsent.sweep();
  }
}
