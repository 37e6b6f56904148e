import path from 'node:path';
import type { Node } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import type { HostMount } from '../host/host-mount.ts';
import type { ServiceAccountTokens } from '../volumes/service-account-tokens.ts';
import { createCsiDrivers, type CsiDrivers } from './csi-drivers.ts';
import { createCsiNodeObject } from './csi-node-object.ts';
import { createCsiVolumes, type CsiVolumes } from './csi-volumes.ts';
import { watchPlugins } from './plugin-watcher.ts';

export interface NodePlugins {
  readonly volumes: CsiVolumes;
  readonly drivers: CsiDrivers;
  run(signal: AbortSignal): Promise<void>;
}

const sweepMs = 60_000;

/** CSI drivers of this node, from their registration to what is left of them. */
export function createNodePlugins(
  config: { readonly rootDirectory: string; readonly nodeName: string },
  deps: {
    client: Client;
    hostMount: HostMount;
    tokens: ServiceAccountTokens;
    node: () => DeepReadonly<Node> | undefined;
    onUseChange: () => void;
    clock: Clock;
    log: Logger;
  },
): NodePlugins {
  const { clock, log } = deps;
  const record = createCsiNodeObject({ nodeName: config.nodeName }, deps);
  const drivers = createCsiDrivers({ record, log });
  const volumes = createCsiVolumes(config, { ...deps, drivers });
  const sweep = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(sweepMs, signal).catch(() => undefined);
      if (!signal.aborted)
        await volumes.sweep().catch((error: unknown) => log.error({ err: error }, 'volumes that nobody uses could not be unstaged'));
    }
  };
  return {
    volumes,
    drivers,
    run: async (signal) => {
      const watched = watchPlugins(
        { directory: path.join(config.rootDirectory, 'plugins_registry') },
        { local: deps.hostMount.local, handlers: { CSIPlugin: drivers }, clock, log },
        signal,
      );
      try {
        await Promise.all([watched, sweep(signal)]);
      } finally {
        drivers.close();
      }
    },
  };
}
