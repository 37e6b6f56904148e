import type { Logger } from '@skiff/component-base';
import { type CsiNodeService, type NodeInfo, openCsiNode } from './csi-node-service.ts';
import type { PluginHandler, PluginInfo } from './plugin-watcher.ts';

/** CSI drivers that have registered on this node. */
export interface CsiDrivers extends PluginHandler {
  /** Throws, with upstream's text, when there is no such driver. */
  get(name: string): CsiNodeService;
  has(name: string): boolean;
  names(): readonly string[];
  close(): void;
}

/** What the API is told about a driver of this node. */
export interface CsiNodeRecord {
  install(driver: string, info: NodeInfo): Promise<void>;
  uninstall(driver: string): Promise<void>;
}

interface Registered {
  readonly endpoint: string;
  readonly service: CsiNodeService;
}

const isSupported = (versions: readonly string[]): boolean => versions.some((v) => /^v?1\./.test(v));

export function createCsiDrivers(deps: {
  record: CsiNodeRecord;
  /** Who waits for a driver can go on. */
  onRegistered: () => void;
  log: Logger;
}): CsiDrivers {
  const drivers = new Map<string, Registered>();
  return {
    register: async ({ name, endpoint, supportedVersions }: PluginInfo) => {
      if (!/^[a-zA-Z0-9][-a-zA-Z0-9_.]{0,62}$/.test(name)) throw new Error(`"${name}" can't be the name of a CSI driver`);
      if (!isSupported(supportedVersions))
        throw new Error(`none of the versions [${supportedVersions.join(', ')}] of CSI is supported; this kubelet speaks 1.x`);
      const service = await openCsiNode(endpoint);
      try {
        const info = await service.getInfo();
        if (info.nodeId === '') throw new Error('the driver told no node ID');
        await deps.record.install(name, info);
      } catch (error) {
        service[Symbol.dispose]();
        throw error;
      }
      drivers.get(name)?.service[Symbol.dispose]();
      drivers.set(name, { endpoint, service });
      deps.log.info({ driver: name, endpoint }, 'a CSI driver has registered');
      deps.onRegistered();
    },
    deregister: async ({ name, endpoint }) => {
      const known = drivers.get(name);
      // Its successor may be here already.
      if (known !== undefined && known.endpoint !== endpoint) return;
      if (known !== undefined) {
        known.service[Symbol.dispose]();
        drivers.delete(name);
        deps.log.info({ driver: name }, 'a CSI driver is gone');
      }
      // Asked again when the API did not answer.
      await deps.record.uninstall(name);
    },
    get: (name) => {
      const known = drivers.get(name);
      if (known === undefined) throw new Error(`driver name ${name} not found in the list of registered CSI drivers`);
      return known.service;
    },
    has: (name) => drivers.has(name),
    names: () => [...drivers.keys()],
    close: () => {
      for (const { service } of drivers.values()) service[Symbol.dispose]();
      drivers.clear();
    },
  };
}
