import type { DeepReadonly, ResourceDefinition } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { ObjectAccess } from '../../contract.ts';
import { AllocationError, type IPAddress } from './ip-allocator.ts';
import { familyOf, formatAddress, parseAddress } from './ip-range.ts';
import type { RepairReport } from './repair-events.ts';
import { headless, needsClusterIP, nodePortsOf, type Service } from './service-fields.ts';
import type { ServiceAllocators } from './service-hooks.ts';

/** Rounds that something must be seen unused before it is freed: a Service may be on its way. */
const roundsBeforeFreeing = 3;

export interface ServiceRepairDeps extends ServiceAllocators {
  readonly services: ResourceDefinition<Service>;
  readonly objects: ObjectAccess;
  readonly clock: Clock;
  readonly report: RepairReport;
}

/** What is remembered from round to round. */
export interface RepairState {
  /** How often something was seen unused, in a row. */
  readonly unused: Map<string, number>;
  /** What can't be mended and was said already. */
  readonly told: Set<string>;
}
export const newRepairState = (): RepairState => ({ unused: new Map(), told: new Set() });

type ServiceView = DeepReadonly<Service>;
const ipComponent = 'ipallocator-repair-controller';
const portComponent = 'portallocator-repair-controller';
const nameOf = (s: ServiceView): string => `${s.metadata?.namespace ?? ''}/${s.metadata?.name ?? ''}`;

/**
 * Brings what is given out in line with what Services have: after crashes between two writes, restores, changes of ranges. Any
 * number of apiservers do it at once: what is freed is freed as what it was seen to be, never what has taken its place.
 */
export async function runServiceRepair(o: { intervalMs: number; signal: AbortSignal }, deps: ServiceRepairDeps): Promise<void> {
  const state = newRepairState();
  for (;;) {
    try {
      await repairOnce(state, deps);
    } catch (error) {
      if (o.signal.aborted) return;
      deps.log.warn({ err: error }, 'repair of service addresses failed; trying again');
    }
    await deps.clock.sleep(o.intervalMs, o.signal);
  }
}

export async function repairOnce(state: RepairState, deps: ServiceRepairDeps): Promise<void> {
  const services = deps.objects.list(deps.services);
  const complaints = new Complaints(state.told, deps.report);
  await repairIPs(services, { state, complaints }, deps);
  await repairPorts(services, { state, complaints }, deps);
  complaints.forgetOthers();
}

/** Says each thing once for as long as it lasts. */
class Complaints {
  readonly #told: Set<string>;
  readonly #now = new Set<string>();
  readonly #report: RepairReport;
  constructor(told: Set<string>, report: RepairReport) {
    this.#told = told;
    this.#report = report;
  }
  async say(service: ServiceView, o: { component: string; reason: string; message: string }): Promise<void> {
    const id = `${nameOf(service)} ${o.message}`;
    this.#now.add(id);
    if (!this.#told.has(id)) await this.#report(service, o);
    this.#told.add(id);
  }
  forgetOthers(): void {
    for (const id of this.#told) if (!this.#now.has(id)) this.#told.delete(id);
  }
}

interface Round {
  readonly state: RepairState;
  readonly complaints: Complaints;
}

function isDue(unused: Map<string, number>, id: string): boolean {
  const rounds = (unused.get(id) ?? 0) + 1;
  unused.set(id, rounds);
  if (rounds < roundsBeforeFreeing) return false;
  unused.delete(id);
  return true;
}

async function repairIPs(services: readonly ServiceView[], { state, complaints }: Round, deps: ServiceRepairDeps): Promise<void> {
  const { ips, report } = deps;
  const owned = new Map(ips.owned().map((a) => [a.metadata?.name ?? '', a]));
  /** Address → the Service that has it: the one that its IPAddress names, or the first. */
  const users = new Map<string, ServiceView[]>();
  for (const service of services) {
    if (!needsClusterIP(service.spec ?? {})) continue;
    for (const ip of service.spec?.clusterIPs ?? []) {
      if (ip === headless) continue;
      const address = parseAddress(ip);
      if (address === undefined) {
        const message = `Cluster IP ${ip} is not a valid IP; please recreate Service`;
        await complaints.say(service, { component: ipComponent, reason: 'ClusterIPNotValid', message });
        continue;
      }
      const canonical = formatAddress(address, familyOf(ip));
      users.set(canonical, [...(users.get(canonical) ?? []), service]);
    }
  }
  for (const [ip, all] of users) await repairIP(ip, { all, owned: owned.get(ip), complaints }, deps);
  const { unused } = state;
  for (const [ip, address] of owned) {
    const { uid = '' } = address.metadata ?? {};
    if (users.has(ip)) unused.delete(`${ip} ${uid}`);
    else if (isDue(unused, `${ip} ${uid}`)) {
      const parent = address.spec?.parentRef;
      const message = `IPAddress: ${ip} for Service ${parent?.namespace ?? ''}/${parent?.name ?? ''} appears to have leaked: cleaning up`;
      await report(address, { component: ipComponent, reason: 'IPAddressNotAllocated', message });
      await ips.release(ip, uid);
    }
  }
}

async function repairIP(
  ip: string,
  o: { all: readonly ServiceView[]; owned: DeepReadonly<IPAddress> | undefined; complaints: Complaints },
  { ips, report }: ServiceRepairDeps,
): Promise<void> {
  const family = familyOf(ip);
  const parent = o.owned?.spec?.parentRef;
  const holder = o.all.find((s) => s.metadata?.namespace === parent?.namespace && s.metadata?.name === parent?.name) ?? o.all[0];
  if (holder === undefined) return;
  for (const other of o.all) {
    if (other === holder) continue;
    const message = `Cluster IP [${family}]:${ip} was assigned to multiple services; please recreate service`;
    await o.complaints.say(other, { component: ipComponent, reason: 'ClusterIPAlreadyAllocated', message });
  }
  const { namespace = '', name = '' } = holder.metadata ?? {};
  if (o.owned !== undefined) {
    if (parent?.namespace === namespace && parent.name === name) return;
    const message = `the ClusterIP [${family}]: ${ip} for Service ${namespace}/${name} has a wrong reference; repairing`;
    await report(holder, { component: ipComponent, reason: 'ClusterIPNotAllocated', message });
    await ips.release(ip, o.owned.metadata?.uid);
  }
  try {
    await ips.allocate(ip, { namespace, name }, false);
    const message = `Cluster IP [${family}]: ${ip} is not allocated; repairing`;
    if (o.owned === undefined) await report(holder, { component: ipComponent, reason: 'ClusterIPNotAllocated', message });
  } catch (error) {
    if (!(error instanceof AllocationError)) throw error;
    // Another apiserver was faster, or the range was changed.
    if (ips.contains(ip)) return;
    const message = `Cluster IP [${family}]: ${ip} is not within any configured Service CIDR; please recreate service`;
    await o.complaints.say(holder, { component: ipComponent, reason: 'ClusterIPOutOfRange', message });
  }
}

async function repairPorts(services: readonly ServiceView[], { state, complaints }: Round, deps: ServiceRepairDeps): Promise<void> {
  const { ports, log, report } = deps;
  const { from, to } = ports.range;
  const used = new Map<number, ServiceView>();
  for (const service of services) {
    const spec = service.spec ?? {};
    for (const port of new Set([...nodePortsOf(spec), ...(spec.healthCheckNodePort ? [spec.healthCheckNodePort] : [])])) {
      const say = (reason: string, what: string): Promise<void> =>
        complaints.say(service, { component: portComponent, reason, message: `Port ${port} ${what}; please recreate service` });
      if (port < from || port > to) await say('PortOutOfRange', `is not within the port range ${from}-${to}`);
      else if (used.has(port)) await say('PortAlreadyAllocated', 'was assigned to multiple services');
      else used.set(port, service);
    }
  }
  let plan: { take: number[]; free: number[] } | undefined;
  await ports.repair((isTaken) => {
    // Somebody else has changed the ports since: what looked unused may be another's now. It is looked at again in the next round.
    if (plan !== undefined) {
      for (const port of plan.free) state.unused.set(`port ${port}`, roundsBeforeFreeing - 1);
      plan = { take: plan.take.filter((port) => !isTaken(port)), free: [] };
      return plan;
    }
    plan = { take: [], free: [] };
    for (let port = from; port <= to; port++) {
      if (used.has(port)) {
        state.unused.delete(`port ${port}`);
        if (!isTaken(port)) plan.take.push(port);
      } else if (!isTaken(port)) state.unused.delete(`port ${port}`);
      else if (isDue(state.unused, `port ${port}`)) plan.free.push(port);
    }
    return plan;
  });
  for (const port of plan?.take ?? []) {
    const service = used.get(port);
    const message = `Port ${port} is not allocated; repairing`;
    if (service !== undefined) await report(service, { component: portComponent, reason: 'PortNotAllocated', message });
  }
  if ((plan?.free.length ?? 0) > 0) log.info({ free: plan?.free }, 'node ports without a Service are free again');
}
