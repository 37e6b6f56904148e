import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Node } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import { childSignal, type Clock, type Logger } from '@skiff/component-base';
import type { HostMount } from '../host/host-mount.ts';
import type { ServiceAccountTokens } from '../volumes/service-account-tokens.ts';
import { createCsiDrivers, type CsiDrivers } from './csi-drivers.ts';
import { createCsiNodeObject } from './csi-node-object.ts';
import { createCsiVolumes, type CsiVolumes } from './csi-volumes.ts';
import { growVolumes, type GrowVolumesDeps } from './grow-volumes.ts';
import { createVolumeLimits } from './volume-limits.ts';
import { watchPlugins } from './plugin-watcher.ts';

export interface NodePlugins {
  readonly volumes: CsiVolumes;
  readonly drivers: CsiDrivers;
  run(signal: AbortSignal): Promise<void>;
}

const housekeepingMs = 60_000;

/** CSI drivers of this node, from their registration to what is left of them. */
export function createNodePlugins(
  config: { readonly rootDirectory: string; readonly nodeName: string },
  deps: {
    client: Client;
    hostMount: HostMount;
    tokens: ServiceAccountTokens;
    node: () => DeepReadonly<Node> | undefined;
    onUseChange: () => void;
    event: GrowVolumesDeps['event'];
    /** Has the volumes of pods brought up to date. */
    refresh: (podUids: readonly string[]) => void;
    refreshAll: () => void;
    clock: Clock;
    log: Logger;
  },
): NodePlugins {
  const { clock, log } = deps;
  const record = createCsiNodeObject({ nodeName: config.nodeName }, deps);
  const drivers = createCsiDrivers({ record, onRegistered: deps.refreshAll, log });
  let wake: () => void = () => undefined;
  const volumes = createCsiVolumes(config, { ...deps, drivers, onPublished: () => wake() });
  const refreshLimits = createVolumeLimits({ ...deps, drivers, record });
  const refused = new Map<string, string>();
  const housekeeping = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      // What was just mounted may have been made larger while nobody had it.
      using nap = childSignal(signal);
      wake = () => nap.abort(new Error('a volume was mounted'));
      await clock.sleep(housekeepingMs, nap.signal).catch(() => undefined);
      if (signal.aborted) return;
      await volumes.sweep().catch((error: unknown) => log.error({ err: error }, 'volumes that nobody uses could not be unstaged'));
      await growVolumes(config.rootDirectory, { ...deps, drivers, refused }, signal);
      await refreshLimits(signal).catch(() => undefined);
      deps.refresh(await volumes.toPublishAgain(signal).catch(() => []));
    }
  };
  /** The object is there with or without drivers, as soon as the node is. */
  const register = async (signal: AbortSignal): Promise<void> => {
    for (let delayMs = 500; !signal.aborted; delayMs = Math.min(delayMs * 2, 30_000)) {
      try {
        return await record.ensure();
      } catch (error) {
        log.debug({ err: error }, 'the CSINode object could not be made; trying again');
        await clock.sleep(delayMs, signal).catch(() => undefined);
      }
    }
  };
  return {
    volumes,
    drivers,
    run: async (parent) => {
      // When one of them fails all end, before they are started again.
      using child = childSignal(parent);
      const { signal } = child;
      // Manifests of drivers ask for it as an existing directory (hostPath type Directory).
      await mkdir(deps.hostMount.local(path.join(config.rootDirectory, 'plugins')), { recursive: true, mode: 0o750 });
      const watched = watchPlugins(
        { directory: path.join(config.rootDirectory, 'plugins_registry') },
        { local: deps.hostMount.local, handlers: { CSIPlugin: drivers }, clock, log },
        signal,
      );
      const all = [watched, register(signal), housekeeping(signal)];
      try {
        await Promise.all(all);
      } finally {
        child.abort(new Error('another part of it failed'));
        await Promise.allSettled(all);
        drivers.close();
      }
    },
  };
}
