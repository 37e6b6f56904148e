import type { RequestInfo } from '../contract.ts';

/** Seats while a request is served, and those that its consequences take for a while afterwards. */
export interface WorkEstimate {
  readonly initialSeats: number;
  readonly finalSeats: number;
  readonly extraMs: number;
}

/** What a list is about, as far as it is known. */
export interface ListExtent {
  readonly objects: number;
  readonly averageBytes: number;
}

export interface EstimateDeps {
  readonly listExtent: (info: RequestInfo) => ListExtent;
  /** Watches that will see what the request changes. */
  readonly watchers: (info: RequestInfo) => number;
}

export const oneSeat: WorkEstimate = { initialSeats: 1, finalSeats: 0, extraMs: 0 };

const maxListSeats = 100;
const maxWriteSeats = 10;
const bytesPerSeat = 100_000;
/** Lists are sent piece by piece: no more of one is in memory at once. */
const maxListBytes = 1_000_000;
const watchesPerSeat = 10;
const eventMs = 5;

/** A name that stands for one object is looked up, not searched for. */
function listSeats(info: RequestInfo, query: URLSearchParams, deps: EstimateDeps): number {
  const extent = deps.listExtent(info);
  const limit = Number(query.get('limit') ?? 0);
  const count = info.name !== '' ? 1 : limit > 0 ? Math.min(limit, extent.objects) : extent.objects;
  return Math.ceil(Math.min(count * extent.averageBytes, maxListBytes) / bytesPerSeat);
}

/** A watch that begins with all objects costs as much as a list. */
function beginsWithList(query: URLSearchParams): boolean {
  const version = query.get('resourceVersion') ?? '';
  return query.get('sendInitialEvents') === 'true' || version === '' || version === '0';
}

/**
 * How wide a request is, in seats (KEP-1040, "Width of the request"): lists by what they have in memory, writes by the watchers that
 * hear of them. `maxSeats`: the widest that the priority level lets one be.
 */
export function estimateWork(info: RequestInfo, query: URLSearchParams, maxSeats: number, deps: EstimateDeps): WorkEstimate {
  switch (info.verb) {
    case 'watch':
    case 'list': {
      if (info.verb === 'watch' && !beginsWithList(query)) return oneSeat;
      const seats = Math.max(1, Math.min(listSeats(info, query, deps), maxSeats, maxListSeats));
      return seats === 1 ? oneSeat : { initialSeats: seats, finalSeats: 0, extraMs: 0 };
    }
    case 'create':
    case 'update':
    case 'patch':
    case 'delete': {
      // A token changes nothing that is watched.
      if (info.resource === 'serviceaccounts' && info.subresource === 'token') return oneSeat;
      const watchers = deps.watchers(info);
      if (watchers < watchesPerSeat) return oneSeat;
      const wanted = Math.ceil(watchers / watchesPerSeat);
      const seats = Math.min(wanted, maxSeats, maxWriteSeats);
      return { initialSeats: 1, finalSeats: seats, extraMs: (wanted * eventMs) / seats };
    }
    default:
      return oneSeat;
  }
}
