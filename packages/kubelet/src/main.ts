import path from 'node:path';
import { connectControlPlane, keepClientCertificate, kubeletClientSigner } from '@skiff/client';
import {
  createLogger,
  exitMessage,
  FlagError,
  formatHelp,
  type Logger,
  processSignal,
  supervise,
  systemClock,
} from '@skiff/component-base';
import type { ContainerRuntime } from '@skiff/cri';
import { createDockerRuntime } from '@skiff/cri-docker';
import { bytesOf, configOf, engineSize, type KubeletFlags, readSettings, type Settings, shownFlags } from './config/from-flags.ts';
import { kubeletFlags } from './flags.ts';
import { runCommand } from './host/run-command.ts';
import { createKubelet, type Kubelet } from './kubelet.ts';
import { cleanUpPodNetwork } from './network/clean-up.ts';
import { nodeIdentity } from './server/node-certificates.ts';
import { createConnectionInlet, runServer } from './server/server.ts';
import { createTunnels } from './tunnel/start-tunnels.ts';

interface OwnRuntime extends ContainerRuntime {
  /** Work of its own while the kubelet runs. */
  readonly run?: (signal: AbortSignal) => Promise<void>;
  close(): void;
}

async function createRuntime(flags: KubeletFlags, log: Logger): Promise<OwnRuntime> {
  const endpoint = flags['container-runtime-endpoint'];
  if (endpoint !== '') {
    // gRPC is loaded only by whoever uses it.
    const { createRemoteRuntime } = await import('@skiff/cri/grpc');
    const podLogsDirectory = path.resolve(flags['root-dir'], 'pod-logs');
    const remote = createRemoteRuntime({ endpoint, instance: flags.instance, podLogsDirectory }, { clock: systemClock, log });
    const limits = { maxBytes: bytesOf(flags['container-log-max-size']), maxFiles: Math.max(2, flags['container-log-max-files']) };
    return { ...remote, run: (signal) => remote.keepLogs(limits, signal) };
  }
  return createDockerRuntime({
    socketPath: flags['docker-socket'],
    instance: flags.instance,
    ...(flags['pod-infra-container-image'] === undefined ? {} : { pauseImage: flags['pod-infra-container-image'] }),
    logMaxSize: engineSize(flags['container-log-max-size']),
    logMaxFiles: flags['container-log-max-files'],
    pullProgressDeadlineMs: flags['image-pull-progress-deadline'],
    requestTimeoutMs: flags['runtime-request-timeout'],
    warn: (error, message) => log.warn({ err: error }, message),
  });
}

async function main(): Promise<void> {
  let settings: Settings;
  if (process.argv.includes('--help')) {
    process.stdout.write(formatHelp('kubelet', kubeletFlags));
    return;
  }
  try {
    settings = readSettings(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
    return;
  }
  const { flags, ignored } = settings;
  const log = createLogger('kubelet', flags.v);
  if (ignored.length > 0) log.warn({ fields: ignored }, 'these fields of the configuration have no effect here');
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
        configuration: settings.configuration,
        node: {
          logs: { directory: '/var/log', files: flags['enable-system-log-handler'], query: flags['enable-system-log-query'] },
          flags: shownFlags(flags),
          startedAtMs: systemClock.now(),
        },
      },
      { parts: kubelet.parts, client, inlet, clock: systemClock, log },
      s,
    );
  const identity = nodeIdentity(config.nodeName);
  await Promise.all([
    kubelet.run(signal),
    runtime.run?.(signal),
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
