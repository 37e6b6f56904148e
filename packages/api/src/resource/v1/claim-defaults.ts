import type { ResourceClaimSpec } from '../../generated/types/resource-v1.ts';

interface Counted {
  allocationMode?: string;
  count?: number;
}

function defaultRequest(request: Counted): void {
  request.allocationMode ||= 'ExactCount';
  if (request.allocationMode === 'ExactCount') request.count ||= 1;
}

/** One device for each request, unless it says otherwise. */
export function defaultClaimRequests(spec: ResourceClaimSpec | undefined): void {
  for (const { exactly, firstAvailable } of spec?.devices?.requests ?? []) {
    if (exactly) defaultRequest(exactly);
    for (const request of firstAvailable ?? []) defaultRequest(request);
  }
}
