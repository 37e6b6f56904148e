import { type DeepReadonly, isStatusError, type KubeObject, type ResourceDefinition } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import type { ObjectAccess } from '../../contract.ts';
import { familyOf, formatAddress, parseAddress } from './ip-range.ts';
import { headless, needsClusterIP, nodePortsOf, type Service } from './service-fields.ts';
import type { ServiceAllocators } from './service-hooks.ts';

/** Rounds that something must be seen unused before it is freed: a Service may be on its way. */
const roundsBeforeFreeing = 3;

export interface ServiceRepairDeps extends ServiceAllocators {
  readonly services: ResourceDefinition<Service>;
  readonly objects: ObjectAccess;
  readonly clock: Clock;
}

/** Brings what is given out in line with what Services have: after crashes between two writes, restores, changes of ranges. */
export async function runServiceRepair(o: { intervalMs: number; signal: AbortSignal }, deps: ServiceRepairDeps): Promise<void> {
  const unused = new Map<string, number>();
  for (;;) {
    try {
      await repairOnce(unused, deps);
    } catch (error) {
      if (o.signal.aborted) return;
      deps.log.warn({ err: error }, 'repair of service addresses failed; trying again');
    }
    await deps.clock.sleep(o.intervalMs, o.signal);
  }
}

interface ServiceCIDR extends KubeObject {
  spec?: { cidrs?: string[] };
  status?: { conditions?: { type: string; status: string; reason: string; message: string; lastTransitionTime: string }[] };
}

/** The object that shows the configured ranges; upstream's has the same name. */
export async function ensureDefaultServiceCIDR(
  cidrs: readonly string[],
  deps: { definition: ResourceDefinition<ServiceCIDR>; objects: ObjectAccess; now: string },
): Promise<void> {
  const { definition, objects } = deps;
  const name = 'kubernetes';
  if ((await objects.read(definition, '', name)) === undefined) {
    try {
      await objects.create(definition, { metadata: { name }, spec: { cidrs: [...cidrs] } });
    } catch (error) {
      if (!isStatusError(error) || error.reason !== 'AlreadyExists') throw error;
    }
  }
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: '',
    message: 'Kubernetes default Service CIDR is ready',
    lastTransitionTime: deps.now,
  };
  await objects.update(
    definition,
    '',
    name,
    (draft) => {
      if ((draft.status?.conditions ?? []).some((c) => c.type === 'Ready' && c.status === 'True')) return undefined;
      draft.status = { ...draft.status, conditions: [...(draft.status?.conditions ?? []).filter((c) => c.type !== 'Ready'), ready] };
      return draft;
    },
    { subresource: 'status' },
  );
}

export async function repairOnce(unused: Map<string, number>, deps: ServiceRepairDeps): Promise<void> {
  const services = deps.objects.list(deps.services);
  await repairIPs(services, unused, deps);
  await repairPorts(services, unused, deps);
}

function isDue(unused: Map<string, number>, id: string): boolean {
  const rounds = (unused.get(id) ?? 0) + 1;
  unused.set(id, rounds);
  if (rounds < roundsBeforeFreeing) return false;
  unused.delete(id);
  return true;
}

async function repairIPs(
  services: readonly DeepReadonly<Service>[],
  unused: Map<string, number>,
  { ips, log }: ServiceRepairDeps,
): Promise<void> {
  const used = new Map<string, { namespace: string; name: string }>();
  for (const s of services) {
    if (!needsClusterIP(s.spec ?? {})) continue;
    for (const ip of s.spec?.clusterIPs ?? []) {
      const address = ip === headless ? undefined : parseAddress(ip);
      if (address !== undefined)
        used.set(formatAddress(address, familyOf(ip)), { namespace: s.metadata?.namespace ?? '', name: s.metadata?.name ?? '' });
    }
  }
  const owned = new Set(ips.owned().map((a) => a.metadata?.name ?? ''));
  for (const [ip, owner] of used) {
    if (owned.has(ip)) continue;
    try {
      await ips.allocate(ip, owner, false);
      log.info({ ip, owner }, 'the address of a Service is marked as taken again');
    } catch (error) {
      log.warn({ ip, owner, err: error }, 'the address of a Service is not its own');
    }
  }
  for (const ip of owned) {
    if (used.has(ip)) unused.delete(ip);
    else if (isDue(unused, ip)) {
      await ips.release(ip);
      log.info({ ip }, 'an address without a Service is free again');
    }
  }
}

async function repairPorts(
  services: readonly DeepReadonly<Service>[],
  unused: Map<string, number>,
  { ports, log }: ServiceRepairDeps,
): Promise<void> {
  const used = new Set<number>();
  for (const s of services) {
    for (const port of nodePortsOf(s.spec ?? {})) used.add(port);
    if (s.spec?.healthCheckNodePort) used.add(s.spec.healthCheckNodePort);
  }
  const { from, to } = ports.range;
  let plan: { take: number[]; free: number[] } | undefined;
  await ports.repair((isTaken) => {
    // Counted once, however often the compare-and-set runs.
    if (plan !== undefined) return plan;
    plan = { take: [], free: [] };
    for (let port = from; port <= to; port++) {
      if (used.has(port)) {
        unused.delete(`port ${port}`);
        if (!isTaken(port)) plan.take.push(port);
      } else if (isTaken(port) && isDue(unused, `port ${port}`)) plan.free.push(port);
    }
    return plan;
  });
  if ((plan?.take.length ?? 0) + (plan?.free.length ?? 0) > 0) log.info(plan, 'node ports repaired');
}
