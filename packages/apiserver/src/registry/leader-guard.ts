import type { Lease } from '@skiff/api';
import { badRequest, StatusError } from '@skiff/apimachinery';
import type { Guard } from '@skiff/storage';
import type { StoredEntry } from '../storage/stored-entry.ts';
import { readStoredEntry } from './reads.ts';
import { keyOf, type ServedResource } from './stored-resource.ts';

/** What a leader says of itself with each write: `<namespace>/<name>/<leaseTransitions>/<holder, percent-encoded>`. */
export const leaderHeader = 'skiff-leader';

interface LeaderClaim {
  readonly namespace: string;
  readonly name: string;
  readonly transitions: number;
  readonly holder: string;
}

/** Throws BadRequest. */
export function parseLeaderClaim(text: string): LeaderClaim {
  const match = /^([a-z0-9.-]{1,253})\/([a-z0-9.-]{1,253})\/(\d{1,10})\/([^/\s]{1,1024})$/.exec(text);
  if (match === null) throw badRequest(`the header ${leaderHeader} must be <namespace>/<lease>/<transitions>/<holder>`);
  const [, namespace = '', name = '', transitions = '', holder = ''] = match;
  try {
    return { namespace, name, transitions: Number(transitions), holder: decodeURIComponent(holder) };
  } catch {
    throw badRequest(`the header ${leaderHeader} has a holder that is not percent-encoded`);
  }
}

/**
 * The condition under which a leader's write may happen: at the moment of the commit the Lease is still its own. The commit compares
 * the revision of the Lease that was looked at, in the same transaction, so that no write of a deposed leader gets through, however late it
 * comes and through whichever apiserver (docs/decisions/leaders.md).
 */
export interface LeaderGuard {
  /** For the next attempt to commit. Throws Conflict when someone else holds the Lease. */
  condition(): Promise<Guard>;
  /** An attempt was lost, maybe because the Lease was renewed meanwhile: the next one looks at the store. */
  lost(): void;
}

/** Options of a write. What expires lies in another store, where no Lease can be compared; it needs no guard. */
export async function guardFor(resource: ServedResource, guard: LeaderGuard | undefined): Promise<{ guard?: Guard }> {
  return guard === undefined || resource.definition.ttlSeconds !== undefined ? {} : { guard: await guard.condition() };
}

export function createLeaderGuard(claim: LeaderClaim, leases: ServedResource): LeaderGuard {
  const key = keyOf(leases, claim.namespace, claim.name);
  let mustRead = false;
  const isOurs = (entry: StoredEntry | undefined): entry is StoredEntry => {
    if (entry === undefined) return false;
    const { spec } = leases.codec.parse(leases.view.formOf(entry)) as Lease;
    return spec?.holderIdentity === claim.holder && (spec.leaseTransitions ?? 0) === claim.transitions;
  };
  return {
    condition: async () => {
      let entry = mustRead ? undefined : leases.stored.cache.newest(key);
      if (!isOurs(entry)) entry = await readStoredEntry(leases.stored, key);
      if (!isOurs(entry)) throw deposed(claim);
      return { key, revision: entry.revision };
    },
    lost: () => {
      mustRead = true;
    },
  };
}

/** Not a conflict that a new look at the object would solve: `LeaderDeposed` tells the sender to stop. */
const deposed = (claim: LeaderClaim): StatusError =>
  new StatusError(
    'Conflict',
    `the Lease ${claim.namespace}/${claim.name} is no longer held by "${claim.holder}": a deposed leader's write is refused`,
    {
      details: {
        group: 'coordination.k8s.io',
        kind: 'leases',
        name: claim.name,
        causes: [{ reason: 'LeaderDeposed', message: 'the sender has lost its Lease', field: leaderHeader }],
      },
    },
  );
