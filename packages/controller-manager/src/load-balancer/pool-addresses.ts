import { ipAddress, type IPAddress } from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { AddressPool } from './address-pool.ts';
import type { Assignment } from './node-addresses.ts';
import { nameOf, type ServiceView } from './service-facts.ts';

/**
 * An address of the pool is taken by creating the IPAddress object of its name: whoever creates it has it, and no two ever do.
 * The object also says which node announces the address (see the proxy).
 */
export const managedByLabel = 'ipaddress.kubernetes.io/managed-by';
export const managedByPool = 'load-balancer.skiff.dev';
export const poolSelector = `${managedByLabel}=${managedByPool}`;

export type AddressView = DeepReadonly<IPAddress>;

export const ownerOfAddress = (a: AddressView): string => `${a.spec?.parentRef?.namespace ?? ''}/${a.spec?.parentRef?.name ?? ''}`;

export interface PoolRequest {
  readonly pool: AddressPool;
  /** Addresses of nodes and the like, which are not given out though the pool has them. */
  readonly reserved: ReadonlySet<string>;
  /** Addresses of the Service, as the cache knows them. */
  readonly own: readonly AddressView[];
}

interface Calls {
  readonly client: Client;
  readonly signal: AbortSignal;
}

export async function releaseAddress(address: AddressView, { client, signal }: Calls): Promise<void> {
  try {
    const { name = '', uid = '' } = address.metadata ?? {};
    await client.delete(ipAddress, { name }, { preconditions: { uid }, signal });
  } catch (error) {
    if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
  }
}

/** Gives the Service its address, the one it has if that is still right. What is taken is read from the server, not from a cache. */
export async function assignPoolAddress(service: ServiceView, request: PoolRequest, calls: Calls): Promise<Assignment> {
  const { pool, reserved, own } = request;
  const { client, signal } = calls;
  const wanted = service.spec?.loadBalancerIP ?? '';
  if (wanted !== '' && (!pool.contains(wanted) || reserved.has(wanted))) {
    const message = `${wanted} (spec.loadBalancerIP) is not in the pool ${pool.text}`;
    return { refusal: { reason: 'AddressNotAvailable', message } };
  }
  const fits = (name: string): boolean => pool.contains(name) && !reserved.has(name) && (wanted === '' || name === wanted);
  const [only, ...more] = own.map((a) => a.metadata?.name ?? '');
  if (only !== undefined && more.length === 0 && fits(only)) return { ingress: [{ ip: only, ipMode: 'VIP' }] };
  const taken = new Map(
    (await client.list(ipAddress, undefined, { labelSelector: poolSelector, signal })).items.map((a) => [a.metadata?.name ?? '', a]),
  );
  const mine = [...taken.values()].filter((a) => ownerOfAddress(a) === nameOf(service));
  const kept = mine.find((a) => fits(a.metadata?.name ?? ''));
  const address =
    kept?.metadata?.name ?? (await takeFree(service, wanted === '' ? pool.addresses() : [wanted], { taken, reserved }, calls));
  for (const a of mine) if (a.metadata?.name !== address) await releaseAddress(a, calls);
  if (address !== undefined) return { ingress: [{ ip: address, ipMode: 'VIP' }] };
  const holder = taken.get(wanted);
  return wanted === ''
    ? { refusal: { reason: 'NoFreeAddress', message: `no address of the pool ${pool.text} is free (${taken.size} are in use)` } }
    : {
        refusal: {
          reason: 'AddressNotAvailable',
          message: `${wanted} (spec.loadBalancerIP) is taken${holder === undefined ? '' : ` by Service ${ownerOfAddress(holder)}`}`,
        },
      };
}

async function takeFree(
  service: ServiceView,
  candidates: Iterable<string>,
  not: { taken: ReadonlyMap<string, unknown>; reserved: ReadonlySet<string> },
  { client, signal }: Calls,
): Promise<string | undefined> {
  const { namespace = '', name = '' } = service.metadata ?? {};
  for (const address of candidates) {
    if (not.taken.has(address) || not.reserved.has(address)) continue;
    try {
      await client.create(
        ipAddress,
        {
          metadata: { name: address, labels: { [managedByLabel]: managedByPool } },
          spec: { parentRef: { group: '', resource: 'services', namespace, name } },
        },
        { signal },
      );
      return address;
    } catch (error) {
      // Somebody else has just taken it.
      if (!hasReason(error, 'AlreadyExists')) throw error;
    }
  }
  return undefined;
}
