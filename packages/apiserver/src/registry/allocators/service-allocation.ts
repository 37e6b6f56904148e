import type { ResourceDefinition } from '@skiff/apimachinery';
import { type Clock, formatTime, type Logger, supervise } from '@skiff/component-base';
import type { RevisionedStore } from '@skiff/storage';
import type { ObjectAccess, RegistryConfig } from '../../contract.ts';
import type { ResourceHooks } from '../resource-hooks.ts';
import { type IPAddress, IPAllocator, type ServiceCIDR } from './ip-allocator.ts';
import { NodePortAllocator } from './node-port-allocator.ts';
import type { Service } from './service-fields.ts';
import { serviceHooks } from './service-hooks.ts';
import { ensureDefaultServiceCIDR } from './default-service-cidr.ts';
import { createRepairEvents } from './repair-events.ts';
import { runServiceRepair } from './service-repair.ts';

const repairMs = 3 * 60_000;

export interface ServiceAllocation {
  readonly hooks: ResourceHooks;
  /** Keeps what is given out and what Services have in line. Start it once the caches are filled. */
  run(signal: AbortSignal): Promise<void>;
}

/** ClusterIPs and node ports of Services. undefined where the kinds that this needs are not served. */
export function createServiceAllocation(
  config: RegistryConfig,
  deps: {
    readonly objects: ObjectAccess;
    readonly clock: Clock;
    readonly log: Logger;
    readonly store: RevisionedStore;
    definition(group: string, plural: string): ResourceDefinition | undefined;
  },
): ServiceAllocation | undefined {
  const { objects, clock, log } = deps;
  const services = deps.definition('', 'services') as ResourceDefinition<Service> | undefined;
  const addresses = deps.definition('networking.k8s.io', 'ipaddresses') as ResourceDefinition<IPAddress> | undefined;
  const cidrs = deps.definition('networking.k8s.io', 'servicecidrs') as ResourceDefinition<ServiceCIDR> | undefined;
  if (services === undefined || addresses === undefined || config.serviceClusterIpRanges.length === 0) return undefined;
  const ips = new IPAllocator(config.serviceClusterIpRanges, { addresses, cidrs, objects });
  const ports = new NodePortAllocator(config.serviceNodePortRange, {
    store: deps.store,
    key: `${config.keyPrefix.replace(/\/+$/, '')}/ranges/servicenodeports`,
  });
  const allocators = { ips, ports, log };
  return {
    hooks: serviceHooks(allocators),
    run: (signal) =>
      supervise(
        'service-addresses',
        async (s) => {
          if (cidrs !== undefined)
            await ensureDefaultServiceCIDR(config.serviceClusterIpRanges, { definition: cidrs, objects, now: formatTime(clock.now()) });
          const report = createRepairEvents({ definition: deps.definition('', 'events'), objects, clock, log });
          await runServiceRepair({ intervalMs: repairMs, signal: s }, { ...allocators, services, objects, clock, report });
        },
        { signal, clock, log },
      ),
  };
}
