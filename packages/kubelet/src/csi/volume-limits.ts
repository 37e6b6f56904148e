import type { Client } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import type { CsiDrivers, CsiNodeRecord } from './csi-drivers.ts';
import { readDriver } from './driver-facts.ts';

export interface VolumeLimitsDeps {
  readonly client: Client;
  readonly drivers: Pick<CsiDrivers, 'names' | 'get'>;
  readonly record: Pick<CsiNodeRecord, 'install'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Returns what asks drivers again how many volumes the node can have, those whose CSIDriver says how often
 * (`nodeAllocatableUpdatePeriodSeconds`, KEP-4876), as far as their time has come.
 */
export function createVolumeLimits(deps: VolumeLimitsDeps): (signal: AbortSignal) => Promise<void> {
  const askedMs = new Map<string, number>();
  return async (signal) => {
    const names = deps.drivers.names();
    for (const name of askedMs.keys()) if (!names.includes(name)) askedMs.delete(name);
    for (const name of names) {
      try {
        const periodSeconds = (await readDriver(deps.client, name, signal))?.spec?.nodeAllocatableUpdatePeriodSeconds;
        const nowMs = deps.clock.monotonicMs();
        // It told when it registered.
        const lastMs = askedMs.get(name) ?? nowMs;
        askedMs.set(name, lastMs);
        if (periodSeconds === undefined || nowMs - lastMs < periodSeconds * 1000) continue;
        askedMs.set(name, nowMs);
        await deps.record.install(name, await deps.drivers.get(name).getInfo());
      } catch (error) {
        signal.throwIfAborted();
        deps.log.warn({ err: error, driver: name }, 'a driver could not be asked how many volumes the node can have; trying again');
      }
    }
  };
}
