import { tooManyRequests } from '@skiff/apimachinery';
import { mastersGroup } from './authn/authenticator.ts';
import { type FlowControl, requestKind } from './flow-control/flow-control.ts';

/** How many requests may be under way at once; 0 = any number (upstream's --max-requests-inflight and its mutating twin). */
export interface InFlightLimits {
  readonly readOnly: number;
  readonly mutating: number;
}

/** Without priority and fairness: seats by number alone. `system:masters` always gets in. */
export function createInFlight(limits: InFlightLimits): FlowControl {
  const current = { readOnly: 0, mutating: 0 };
  return {
    count: (kind) => current[kind],
    waiting: () => 0,
    classify: (user, info) => ({
      schemaUid: '',
      levelUid: '',
      enter: () => {
        const kind = requestKind(info);
        if (limits[kind] > 0 && current[kind] >= limits[kind] && !user.groups.includes(mastersGroup)) {
          throw tooManyRequests('Too many requests, please try again later.', 1);
        }
        current[kind] += 1;
        let held = true;
        const release = (): void => {
          if (held) current[kind] -= 1;
          held = false;
        };
        return { pause: () => undefined, release, close: release };
      },
    }),
  };
}
