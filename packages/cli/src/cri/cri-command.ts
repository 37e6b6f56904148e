import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { createLogger, processSignal, systemClock } from '@skiff/component-base';
import { engineFacts } from '../host/docker-engine.ts';
import { UserError } from '../user-error.ts';

interface CriOptions {
  readonly listen: string;
  readonly instance: string;
  readonly dockerSocket: string;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  readonly podInfraContainerImage?: string;
  readonly v: string;
}

/** `skiff cri`: Docker Engine for other clients of the CRI, such as upstream's kubelet and crictl. Runs until it is told to stop. */
export function addCriCommand(program: Command, o: { dockerSocket: string }): void {
  program
    .command('cri')
    .description('serve Docker Engine as a container runtime by the CRI (v1), for other kubelets and crictl; needs no cluster')
    .option('--listen <url>', 'unix:// and the path of the socket', 'unix:///run/skiff/cri.sock')
    .option('--instance <name>', 'name of its own; only sandboxes made under it are listed and removed', 'cri')
    .option('--docker-socket <path>', 'socket of Docker Engine', o.dockerSocket)
    .option('--cni-conf-dir <path>', 'where the network of sandboxes is configured', '/etc/cni/net.d')
    .option('--cni-bin-dir <path>', 'where the plugins are that it names', '/opt/cni/bin')
    .option('--pod-infra-container-image <image>', 'image of the sandbox container; the built-in one when absent')
    .option('-v, --v <level>', 'log level: error, warn, info, debug', 'info')
    .action(async (options: CriOptions) => {
      const socket = /^unix:\/\/(\/.+)$/.exec(options.listen)?.[1];
      if (socket === undefined) throw new UserError(`--listen takes unix:// and an absolute path, not "${options.listen}".`, 'usage');
      if ((await engineFacts(options.dockerSocket)) === undefined)
        throw new UserError(`No Docker Engine answers at ${options.dockerSocket}.`);
      const [{ createDockerRuntime, defaultDockerRuntimeConfig }, { createCniNetwork, serveRuntime }] = await Promise.all([
        import('@skiff/cri-docker'),
        import('@skiff/cri/grpc'),
      ]);
      const log = createLogger('cri', options.v);
      const docker = createDockerRuntime({
        ...defaultDockerRuntimeConfig,
        socketPath: options.dockerSocket,
        instance: options.instance,
        ...(options.podInfraContainerImage === undefined ? {} : { pauseImage: options.podInfraContainerImage }),
        warn: (error, message) => log.warn({ err: error }, message),
      });
      await mkdir(dirname(socket), { recursive: true });
      const network = createCniNetwork({
        places: { binDirectory: options.cniBinDir, confDirectory: options.cniConfDir },
        // As short-lived as the sandboxes' network namespaces.
        stateDirectory: join('/run/skiff-cri', options.instance),
        log,
      });
      const imageDirectory = join('/var/lib/skiff-cri', options.instance, 'images');
      const onListening = (): void => log.info({ socket }, 'serving');
      await serveRuntime(docker, { socket, clock: systemClock, log, network, imageDirectory, onListening }, processSignal());
      docker.close();
    });
}
