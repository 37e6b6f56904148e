import type { FlagTable } from '@skiff/component-base';

/** Upstream's names where upstream has them. */
export const schedulerFlags = {
  kubeconfig: { type: 'string', required: true, help: 'Kubeconfig of the apiserver' },
  'leader-elect': { type: 'boolean', default: true, help: 'Campaign for the lease before running; for more than one replica' },
  'leader-elect-identity': {
    type: 'string',
    help: 'Name of this candidate, kept over restarts so that they need not wait for the lease; only where nothing else uses it. Default: host name and a random id',
  },
  'leader-elect-lease-duration': { type: 'duration', default: '15s', help: 'How long others wait for a silent leader' },
  'leader-elect-renew-deadline': { type: 'duration', default: '10s', help: 'How long the leader tries to renew' },
  'leader-elect-retry-period': { type: 'duration', default: '2s', help: 'Time between tries' },
  'leader-elect-resource-namespace': { type: 'string', default: 'kube-system', help: 'Namespace of the lease' },
  'leader-elect-resource-name': { type: 'string', default: 'kube-scheduler', help: 'Name of the lease' },
  'secure-port': { type: 'integer', default: 10259, help: 'Port of /healthz, /metrics and /explain (HTTP, loopback only); 0 for none' },
  v: { type: 'string', default: 'info', help: 'Log level: trace, debug, info, warn, error' },
} as const satisfies FlagTable;
