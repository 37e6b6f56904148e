import { statSync } from 'node:fs';
import { createLogger, systemClock } from '@skiff/component-base';
import type { RemoteRuntime } from '@skiff/cri/grpc';
import type { ClusterConfig } from '../config.ts';
import { UserError } from '../user-error.ts';

type Endpoint = Pick<ClusterConfig, 'containerRuntimeEndpoint'>;

/** Throws UserError for an endpoint at which nobody can listen. */
export function checkRuntimeEndpoint({ containerRuntimeEndpoint: endpoint }: Endpoint): void {
  const path = /^unix:\/\/(\/.+)$/.exec(endpoint)?.[1];
  if (path === undefined)
    throw new UserError(`--container-runtime-endpoint takes unix:// and the path of a socket, not "${endpoint}".`, 'usage');
  if (statSync(path, { throwIfNoEntry: false })?.isSocket() !== true)
    throw new UserError(`No container runtime listens at ${path}. Is it installed and running, with its CRI plugin enabled?`);
}

/** The runtime of a host whose pods don't run on Docker Engine, as its kubelet uses it. To be closed. */
export async function openRemoteRuntime(
  config: Endpoint & Pick<ClusterConfig, 'instance'>,
  podLogsDirectory: string,
): Promise<RemoteRuntime> {
  // Loaded only by those who use it.
  const { createRemoteRuntime } = await import('@skiff/cri/grpc');
  return createRemoteRuntime(
    { endpoint: config.containerRuntimeEndpoint, instance: config.instance, podLogsDirectory },
    { clock: systemClock, log: createLogger('skiff', 'warn') },
  );
}
