import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { connectControlPlane, createLeaderElector, createLeaderFence } from '@skiff/client';
import {
  createLogger,
  exitMessage,
  FlagError,
  formatHelp,
  parseFlags,
  processSignal,
  systemClock,
  type Flags,
} from '@skiff/component-base';
import type { ControllerManagerConfig } from './config.ts';
import { createControllerManager } from './controller-manager.ts';
import { controllers } from './controllers.ts';
import { controllerManagerFlags } from './flags.ts';
import { runHealthServer } from './health-server.ts';
import { createControllerMetrics } from './metrics.ts';
import { selectControllers } from './select-controllers.ts';

function configOf(flags: Flags<typeof controllerManagerFlags>): ControllerManagerConfig {
  const read = (path: string): string => readFileSync(path, 'utf8');
  const rootCa = flags['root-ca-file'];
  const serviceAccountKey = flags['service-account-private-key-file'];
  const [certificate, key] = [flags['cluster-signing-cert-file'], flags['cluster-signing-key-file']];
  return {
    clusterCidrs: flags['cluster-cidr'],
    nodeCidrMaskSizeIpv4: flags['node-cidr-mask-size'],
    nodeCidrMaskSizeIpv6: flags['node-cidr-mask-size-ipv6'],
    allocateNodeCidrs: flags['allocate-node-cidrs'],
    serviceClusterIpRanges: flags['service-cluster-ip-range'],
    loadBalancerCidrs: flags['load-balancer-cidr'],
    ...(rootCa === undefined ? {} : { rootCa: read(rootCa) }),
    ...(serviceAccountKey === undefined ? {} : { serviceAccountKey: read(serviceAccountKey) }),
    ...(certificate === undefined || key === undefined ? {} : { clusterSigning: { certificate: read(certificate), key: read(key) } }),
    clusterSigningDurationMs: flags['cluster-signing-duration'],
    nodeMonitorPeriodMs: flags['node-monitor-period'],
    nodeMonitorGracePeriodMs: flags['node-monitor-grace-period'],
    nodeStartupGracePeriodMs: flags['node-startup-grace-period'],
    evictionRates: {
      nodeEvictionRate: flags['node-eviction-rate'],
      secondaryNodeEvictionRate: flags['secondary-node-eviction-rate'],
      largeClusterSizeThreshold: flags['large-cluster-size-threshold'],
      unhealthyZoneThreshold: flags['unhealthy-zone-threshold'],
    },
    nodeRemovalAfterMs: flags['node-removal-after'],
    horizontalPodAutoscaler: {
      syncPeriodMs: flags['horizontal-pod-autoscaler-sync-period'],
      downscaleStabilizationMs: flags['horizontal-pod-autoscaler-downscale-stabilization'],
      tolerance: flags['horizontal-pod-autoscaler-tolerance'],
      cpuInitializationPeriodMs: flags['horizontal-pod-autoscaler-cpu-initialization-period'],
      initialReadinessDelayMs: flags['horizontal-pod-autoscaler-initial-readiness-delay'],
    },
    legacyTokenCleanUpPeriodMs: flags['legacy-service-account-token-clean-up-period'],
    terminatedPodGcThreshold: flags['terminated-pod-gc-threshold'],
    leaderElection: {
      elected: flags['leader-elect'],
      lease: { namespace: flags['leader-elect-resource-namespace'], name: flags['leader-elect-resource-name'] },
    },
  };
}

function fail(error: unknown): never {
  process.stderr.write(`controller-manager: ${exitMessage(error)}\n`);
  process.exit(error instanceof FlagError ? 2 : 1);
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(formatHelp('skiff-controller-manager', controllerManagerFlags));
    return 0;
  }
  const flags = parseFlags(controllerManagerFlags, args);
  const log = createLogger('controller-manager', flags.v);
  const signal = processSignal();
  const fence = createLeaderFence();
  const controlPlane = connectControlPlane(
    flags.kubeconfig,
    { userAgent: 'kube-controller-manager/v0.1.0', middleware: [fence.middleware] },
    { log },
  );
  const { client } = controlPlane;
  const following = controlPlane.follow(signal);
  const metrics = createControllerMetrics();
  const config = configOf(flags);
  if (flags['service-account-private-key-file'] !== undefined)
    log.warn('--service-account-private-key-file has no effect: service account token Secrets are not filled');
  const manager = createControllerManager(config, selectControllers(controllers, flags.controllers), {
    client,
    clock: systemClock,
    log,
    metrics,
  });
  const health = runHealthServer({ port: flags['secure-port'] }, { ready: () => manager.ready, metrics: () => metrics.render() }, signal);
  health.catch(fail);
  let lost = false;
  if (!flags['leader-elect']) await manager.run(signal);
  else {
    const elector = createLeaderElector(
      {
        lease: config.leaderElection.lease,
        identity: flags['leader-elect-identity'] ?? `${hostname()}_${randomUUID()}`,
        alone: controlPlane.alone,
        leaseDurationMs: flags['leader-elect-lease-duration'],
        renewDeadlineMs: flags['leader-elect-renew-deadline'],
        retryPeriodMs: flags['leader-elect-retry-period'],
        releaseOnCancel: true,
      },
      { client, clock: systemClock, log, fence },
    );
    lost = (await elector.run((term) => manager.run(term), signal)) === 'lost';
  }
  client.close();
  if (lost) {
    log.error('leader election lost');
    return 1;
  }
  await Promise.all([health, following]);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
  // Losing the lease ends the process although its health server still listens.
  if (process.exitCode !== 0) process.exit();
} catch (error) {
  fail(error);
}
