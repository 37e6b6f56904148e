import { tooManyRequests } from '@skiff/apimachinery';
import type { RequestInfo, UserInfo } from './contract.ts';
import { mastersGroup } from './authn/authenticator.ts';

const readOnlyVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

/** How many requests may be under way at once; 0 = any number (upstream's --max-requests-inflight and its mutating twin). */
export interface InFlightLimits {
  readonly readOnly: number;
  readonly mutating: number;
}

export interface InFlight {
  /** Takes a seat or throws TooManyRequests. `release` may be called again. */
  enter(user: UserInfo, info: RequestInfo): { release(): void };
  count(kind: 'readOnly' | 'mutating'): number;
}

/** Seats for short requests; watches hold one only while they start. `system:masters` always gets in. */
export function createInFlight(limits: InFlightLimits): InFlight {
  const current = { readOnly: 0, mutating: 0 };
  return {
    count: (kind) => current[kind],
    enter: (user, info) => {
      const kind = readOnlyVerbs.has(info.verb) ? 'readOnly' : 'mutating';
      if (limits[kind] > 0 && current[kind] >= limits[kind] && !user.groups.includes(mastersGroup)) {
        throw tooManyRequests('Too many requests, please try again later.', 1);
      }
      current[kind] += 1;
      let held = true;
      return {
        release: () => {
          if (held) current[kind] -= 1;
          held = false;
        },
      };
    },
  };
}
