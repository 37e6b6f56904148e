import type { ObjectKey } from '@skiff/apimachinery';
import type { Middleware } from './transport.ts';

interface Claim {
  readonly lease: ObjectKey;
  readonly transitions: number;
  readonly holder: string;
}

/**
 * Puts a leader's claim on everything it writes: the apiserver commits the write only if the Lease is still held in that term. A claim is
 * never taken back, so that a deposed leader's late writes are refused too (docs/decisions/leaders.md).
 */
export interface LeaderFence {
  readonly middleware: Middleware;
  claim(c: Claim): void;
}

export function createLeaderFence(): LeaderFence {
  let header: string | undefined;
  let leasePath = '';
  return {
    claim: ({ lease, transitions, holder }) => {
      const { namespace = '', name } = lease;
      leasePath = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
      header = `${namespace}/${name}/${transitions}/${encodeURIComponent(holder)}`;
    },
    middleware: (next) => (request) =>
      // The Lease itself is written under its own resourceVersion.
      header === undefined || request.method === 'GET' || request.path.startsWith(leasePath)
        ? next(request)
        : next({ ...request, headers: { ...request.headers, 'skiff-leader': header } }),
  };
}
