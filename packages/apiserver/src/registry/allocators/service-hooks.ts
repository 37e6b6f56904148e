import { type DeepReadonly, FieldErrors, internalError, invalid } from '@skiff/apimachinery';
import type { Logger } from '@skiff/component-base';
import type { HookFinish, ResourceHooks } from '../resource-hooks.ts';
import { AllocationError, type IPAllocator, type Owner, rangeIsFull } from './ip-allocator.ts';
import { type IPFamily, parseAddress } from './ip-range.ts';
import type { NodePortAllocator } from './node-port-allocator.ts';
import {
  allocatesNodePorts,
  headless,
  initIPFamilies,
  keepAllocated,
  keepsDualStack,
  needsClusterIP,
  needsHealthCheckPort,
  needsNodePort,
  nodePortsOf,
  type Service,
  type ServiceSpec,
  syncClusterIPs,
} from './service-fields.ts';

export interface ServiceAllocators {
  readonly ips: IPAllocator;
  readonly ports: NodePortAllocator;
  readonly log: Logger;
}

/** What one write of a Service took, to be given back if it fails, and what it gives up if it succeeds. */
interface Ledger {
  readonly owner: Owner;
  readonly dryRun: boolean;
  readonly takenIPs: string[];
  readonly takenPorts: number[];
  readonly freedIPs: string[];
  readonly freedPorts: number[];
}

type Spec = DeepReadonly<ServiceSpec>;

/** Addresses and node ports around the writes of Services, as upstream's REST storage does it. */
export function serviceHooks(a: ServiceAllocators): ResourceHooks {
  const finish = (ledger: Ledger): HookFinish | undefined => {
    if (ledger.dryRun) return undefined;
    return async (committed) => {
      const ips = committed ? ledger.freedIPs : ledger.takenIPs;
      const ports = committed ? ledger.freedPorts : ledger.takenPorts;
      await giveBack(a, ips, ports);
    };
  };
  const run = async (service: Service, o: { dryRun: boolean; change: (l: Ledger) => Promise<void> }): Promise<HookFinish | undefined> => {
    const { namespace = '', name = '' } = service.metadata ?? {};
    const ledger: Ledger = { owner: { namespace, name }, dryRun: o.dryRun, takenIPs: [], takenPorts: [], freedIPs: [], freedPorts: [] };
    try {
      await o.change(ledger);
    } catch (error) {
      if (!o.dryRun) await giveBack(a, ledger.takenIPs, ledger.takenPorts);
      throw error;
    }
    return finish(ledger);
  };
  return {
    beforeCreate: (draft, { dryRun }) =>
      run(draft, {
        dryRun,
        change: async (ledger) => {
          const service = draft as Service;
          const spec = (service.spec ??= {});
          syncClusterIPs(spec, undefined);
          initIPFamilies(service, undefined, a.ips.families);
          await allocateIPs(a, service, ledger);
          await allocatePorts(a, service, undefined, ledger);
        },
      }),
    beforeUpdate: (draft, previous, { dryRun }) => {
      const old = ((previous as DeepReadonly<Service>).spec ?? {}) as Spec;
      return run(draft, {
        dryRun,
        change: async (ledger) => {
          const service = draft as Service;
          const spec = (service.spec ??= {});
          keepAllocated(spec, old);
          syncClusterIPs(spec, old);
          initIPFamilies(service, old, a.ips.families);
          await updateIPs(a, service, old, ledger);
          await allocatePorts(a, service, old, ledger);
        },
      });
    },
    afterDelete: async (object, { dryRun }) => {
      const spec = ((object as DeepReadonly<Service>).spec ?? {}) as Spec;
      if (dryRun) return;
      const ips = needsClusterIP(spec) ? (spec.clusterIPs ?? []).filter((ip) => ip !== headless) : [];
      await giveBack(a, ips, [...nodePortsOf(spec), ...(spec.healthCheckNodePort ? [spec.healthCheckNodePort] : [])]);
    },
  };
}

/** What can't be given back now is found by the repair loop; the write itself has happened. */
async function giveBack(a: ServiceAllocators, ips: readonly string[], ports: readonly number[]): Promise<void> {
  try {
    for (const ip of ips) await a.ips.release(ip);
    await a.ports.release(ports);
  } catch (error) {
    a.log.error({ err: error, ips, ports }, 'addresses or ports could not be released; the repair will');
  }
}

const invalidService = (service: Service, field: string, value: unknown, why: string): Error => {
  const errors = new FieldErrors();
  errors.invalid(field, value, why);
  return invalid({ group: '', kind: 'Service' }, service.metadata?.name ?? '', errors.list);
};

async function allocateIPs(a: ServiceAllocators, service: Service, ledger: Ledger): Promise<void> {
  const spec = service.spec ?? {};
  if (!needsClusterIP(spec) || spec.clusterIPs?.[0] === headless) return;
  const ips = [...(spec.clusterIPs ?? [])];
  for (const [i, family] of (spec.ipFamilies ?? []).entries())
    ips[i] = await takeIP(a, service, { family: family as IPFamily, wanted: ips[i] ?? '' }, ledger);
  if (ips.length === 0) return;
  spec.clusterIPs = ips;
  spec.clusterIP = ips[0] ?? '';
}

async function takeIP(a: ServiceAllocators, service: Service, o: { family: IPFamily; wanted: string }, ledger: Ledger): Promise<string> {
  const ips = service.spec?.clusterIPs ?? [];
  // What is no address at all is for validation to tell.
  if (o.wanted !== '' && parseAddress(o.wanted) === undefined) return o.wanted;
  try {
    let ip = o.wanted;
    if (ip === '') ip = await a.ips.allocateNext(o.family, ledger.owner, ledger.dryRun);
    else await a.ips.allocate(ip, ledger.owner, ledger.dryRun);
    ledger.takenIPs.push(ip);
    return ip;
  } catch (error) {
    if (!(error instanceof AllocationError)) throw error;
    if (o.wanted !== '') throw invalidService(service, 'spec.clusterIPs', ips, `failed to allocate IP ${o.wanted}: ${error.message}`);
    if (error.message === rangeIsFull) {
      throw internalError(
        new Error(`failed to allocate a serviceIP for Service ${JSON.stringify(service.metadata?.name ?? '')}: ${error.message}`),
      );
    }
    throw invalidService(service, 'spec.clusterIPs', ips, `failed to allocate IP: ${error.message}`);
  }
}

async function updateIPs(a: ServiceAllocators, service: Service, old: Spec, ledger: Ledger): Promise<void> {
  const spec = service.spec ?? {};
  if (keepsDualStack(spec, old)) return;
  if (!needsClusterIP(old)) return await allocateIPs(a, service, ledger);
  if (old.clusterIPs?.[0] === headless) return;
  const before = old.clusterIPs ?? [];
  if (!needsClusterIP(spec)) {
    ledger.freedIPs.push(...before);
    return;
  }
  const families = spec.ipFamilies ?? [];
  const oldFamilies = old.ipFamilies ?? [];
  if (oldFamilies.length === 1 && families.length === 2) {
    const ips = [...(spec.clusterIPs ?? [])];
    ips[1] = await takeIP(a, service, { family: families[1] as IPFamily, wanted: ips[1] ?? '' }, ledger);
    spec.clusterIPs = ips;
  } else if (oldFamilies.length === 2 && families.length === 1 && before[1] !== undefined) ledger.freedIPs.push(before[1]);
}

async function allocatePorts(a: ServiceAllocators, service: Service, old: Spec | undefined, ledger: Ledger): Promise<void> {
  const spec = service.spec ?? {};
  const before = old !== undefined && needsNodePort(old) ? nodePortsOf(old) : [];
  if (needsNodePort(spec)) await nodePorts(a, service, before, ledger);
  const kept = new Set(needsNodePort(spec) ? nodePortsOf(spec) : []);
  ledger.freedPorts.push(...before.filter((p) => !kept.has(p)));

  const needed = old !== undefined && needsHealthCheckPort(old);
  if (!needed && needsHealthCheckPort(spec)) {
    try {
      spec.healthCheckNodePort = await takePort(a, spec.healthCheckNodePort ?? 0, ledger);
    } catch (error) {
      if (!(error instanceof AllocationError)) throw error;
      const wanted = spec.healthCheckNodePort ? `requested HealthCheck NodePort ${spec.healthCheckNodePort}` : 'a HealthCheck NodePort 0';
      throw internalError(new Error(`failed to allocate ${wanted}: ${error.message}`));
    }
  } else if (needed && !needsHealthCheckPort(spec) && old.healthCheckNodePort) ledger.freedPorts.push(old.healthCheckNodePort);
}

/** The same port number in several protocols has one node port. */
async function nodePorts(a: ServiceAllocators, service: Service, before: readonly number[], ledger: Ledger): Promise<void> {
  const spec = service.spec ?? {};
  const ports = spec.ports ?? [];
  const held = new Set(before);
  const byPort = new Map<number, number>();
  const isNew = before.length === 0;
  for (const [i, port] of ports.entries()) {
    if (!port.nodePort && !allocatesNodePorts(spec)) continue;
    const shared = isNew ? (byPort.get(port.port) ?? ports.find((p) => p.port === port.port && p.nodePort)?.nodePort ?? 0) : 0;
    const wanted = port.nodePort || shared;
    if (wanted !== 0 && held.has(wanted)) port.nodePort = wanted;
    else {
      try {
        port.nodePort = await takePort(a, wanted, ledger);
      } catch (error) {
        if (!(error instanceof AllocationError)) throw error;
        if (wanted === 0) throw internalError(new Error(`failed to allocate a nodePort: ${error.message}`));
        throw invalidService(service, `spec.ports[${i}].nodePort`, wanted, error.message);
      }
      held.add(port.nodePort);
    }
    byPort.set(port.port, port.nodePort);
  }
}

async function takePort(a: ServiceAllocators, wanted: number, ledger: Ledger): Promise<number> {
  let port = wanted;
  if (port === 0) port = await a.ports.allocateNext(ledger.dryRun, new Set(ledger.takenPorts));
  else await a.ports.allocate(port, ledger.dryRun);
  ledger.takenPorts.push(port);
  return port;
}
