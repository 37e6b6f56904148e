import { mkdirSync, realpathSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { connectControlPlane, keepClientCertificate, kubeletClientSigner } from '@skiff/client';
import {
  createLogger,
  exitMessage,
  FlagError,
  type Flags,
  formatHelp,
  type Logger,
  parseFlags,
  processSignal,
  supervise,
  systemClock,
} from '@skiff/component-base';
import type { ContainerRuntime } from '@skiff/cri';
import { createDockerRuntime } from '@skiff/cri-docker';
import { kubeletFlags } from './flags.ts';
import { runCommand } from './host/run-command.ts';
import { createKubelet, type Kubelet, type KubeletConfig } from './kubelet.ts';
import { cleanUpPodNetwork } from './network/clean-up.ts';
import { defaultVni } from './network/names.ts';
import { nodeIdentity } from './server/node-certificates.ts';
import { createConnectionInlet, runServer } from './server/server.ts';
import { createTunnels } from './tunnel/start-tunnels.ts';

type KubeletFlags = Flags<typeof kubeletFlags>;

const parseLabels = (list: readonly string[]): Record<string, string> =>
  Object.fromEntries(list.map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)] as const).filter(([k]) => k !== ''));

function parseTaint(text: string): { key: string; value: string; effect: string } {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  if (match === null) throw new FlagError(`--register-with-taints takes key=value:effect, not "${text}"`);
  return { key: match[1] ?? '', value: match[2] ?? '', effect: match[3] ?? '' };
}

function configOf(flags: KubeletFlags): KubeletConfig {
  mkdirSync(flags['root-dir'], { recursive: true });
  return {
    nodeName: flags['hostname-override'],
    nodeAddresses: flags['node-ip'].split(','),
    port: flags.port,
    instance: flags.instance,
    // Mount points are known by their real paths.
    rootDirectory: realpathSync(flags['root-dir']),
    clusterDns: flags['cluster-dns'],
    clusterDomain: flags['cluster-domain'],
    resolvConf: flags['resolv-conf'],
    podCidrs: flags['pod-cidr'],
    clusterCidrs: flags['cluster-cidr'],
    vxlan: { port: flags['vxlan-port'], vni: flags['vxlan-vni'] ?? defaultVni(flags['cluster-cidr']) },
    nonMasqueradeCidrs: flags['non-masquerade-cidr'],
    cgroupRoot: flags['cgroup-root'] ?? `/${flags.instance}`,
    maxPods: flags['max-pods'],
    labels: parseLabels(flags['node-labels']),
    taints: flags['register-with-taints'].map(parseTaint),
    seccompDefault: flags['seccomp-default'],
    maxParallelPulls: flags['max-parallel-image-pulls'],
    maxParallelStarts: flags['max-parallel-pod-starts'] ?? os.cpus().length * 2,
    checkIntervalMs: flags['node-status-update-frequency'],
    reportIntervalMs: flags['node-status-report-frequency'],
    leaseDurationSeconds: flags['node-lease-duration-seconds'],
    podLogsDirectory: flags['pod-logs-dir'],
    containerLogsDirectory: flags['container-logs-dir'],
  };
}

async function createRuntime(flags: KubeletFlags, log: Logger): Promise<ContainerRuntime & { close(): void }> {
  const endpoint = flags['container-runtime-endpoint'];
  if (endpoint !== '') {
    // gRPC is loaded only by whoever uses it.
    const { createRemoteRuntime } = await import('@skiff/cri/grpc');
    const podLogsDirectory = path.resolve(flags['root-dir'], 'pod-logs');
    return createRemoteRuntime({ endpoint, instance: flags.instance, podLogsDirectory }, { clock: systemClock, log });
  }
  return createDockerRuntime({
    socketPath: flags['docker-socket'],
    instance: flags.instance,
    ...(flags['pod-infra-container-image'] === undefined ? {} : { pauseImage: flags['pod-infra-container-image'] }),
    logMaxSize: flags['container-log-max-size'],
    logMaxFiles: flags['container-log-max-files'],
    pullProgressDeadlineMs: flags['image-pull-progress-deadline'],
  });
}

async function main(): Promise<void> {
  let flags: KubeletFlags;
  if (process.argv.includes('--help')) {
    process.stdout.write(formatHelp('kubelet', kubeletFlags));
    return;
  }
  try {
    flags = parseFlags(kubeletFlags, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
    return;
  }
  const log = createLogger('kubelet', flags.v);
  if (flags.cleanup)
    return cleanUpPodNetwork(
      { instance: flags.instance, clusterCidrs: flags['cluster-cidr'] },
      { run: runCommand, clock: systemClock, log },
    );
  const signal = processSignal();
  const controlPlane = connectControlPlane(flags.kubeconfig, { userAgent: 'kubelet/v1.36.2' }, { clock: systemClock, log });
  const { client } = controlPlane;
  const networkKubeconfig = flags['network-kubeconfig'];
  const networkPlane =
    networkKubeconfig === undefined
      ? undefined
      : connectControlPlane(networkKubeconfig, { userAgent: 'kubelet-network/v1.36.2' }, { clock: systemClock, log });
  const networkClient = networkPlane?.client ?? client;
  const runtime = await createRuntime(flags, log);
  const config = configOf(flags);
  const certificateDirectory = flags['cert-dir'] ?? path.join(config.rootDirectory, 'pki');
  const inlet = createConnectionInlet();
  const kubelet: Kubelet = createKubelet(config, {
    client,
    networkClient,
    runtime,
    drain: (request, timeoutMs) => tunnels.drain(request, timeoutMs),
    clock: systemClock,
    log,
  });
  const tunnels = createTunnels(
    { enabled: flags.tunnel, maxConnections: flags['max-tunnel-connections'], proxyControlSocket: flags['proxy-control-socket'] },
    { controlPlane, parts: kubelet.parts, inlet, clock: systemClock, log },
  );
  const serve = (s: AbortSignal): Promise<void> =>
    runServer(
      {
        address: flags.address,
        port: flags.port,
        healthzPort: flags['healthz-port'],
        nodeName: config.nodeName,
        nodeAddresses: config.nodeAddresses,
        clientCaFile: flags['client-ca-file'],
        certFile: flags['tls-cert-file'],
        keyFile: flags['tls-private-key-file'],
        ...(flags['rotate-server-certificates'] ? { servingFile: path.join(certificateDirectory, 'kubelet-serving.pem') } : {}),
        configuration: flags,
      },
      { parts: kubelet.parts, client, inlet, clock: systemClock, log },
      s,
    );
  const identity = nodeIdentity(config.nodeName);
  await Promise.all([
    kubelet.run(signal),
    controlPlane.follow(signal),
    networkPlane?.follow(signal),
    supervise('server', serve, { signal, clock: systemClock, log }),
    supervise('tunnels', (s) => tunnels.run(s), { signal, clock: systemClock, log }),
    flags['rotate-certificates']
      ? keepClientCertificate(
          { config: controlPlane.config, signerName: kubeletClientSigner, identity },
          { client, clock: systemClock, log },
          signal,
        )
      : undefined,
  ]);
  client.close();
  networkClient.close();
  runtime.close();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`kubelet: ${exitMessage(error)}\n`);
  process.exit(error instanceof FlagError ? 2 : 1);
}
