import type { FlagTable } from '@skiff/component-base';

/** Upstream's names where upstream has them. */
export const controllerManagerFlags = {
  kubeconfig: { type: 'string', required: true, help: 'Kubeconfig of the apiserver' },
  controllers: { type: 'list', default: ['*'], help: 'What to run: * for the default set, name to add, -name to leave out' },
  'cluster-cidr': { type: 'list', default: [], help: 'Addresses of pods, of which each node gets a part' },
  'allocate-node-cidrs': { type: 'boolean', default: true, help: 'Give each node a part of --cluster-cidr' },
  'node-cidr-mask-size': { type: 'integer', default: 24, help: "Prefix length of a node's IPv4 part" },
  'node-cidr-mask-size-ipv6': { type: 'integer', default: 64, help: "Prefix length of a node's IPv6 part" },
  'service-cluster-ip-range': { type: 'list', default: [], help: 'Addresses of Services, kept out of --cluster-cidr' },
  'load-balancer-cidr': {
    type: 'list',
    default: [],
    help: "Addresses for Services of type LoadBalancer: CIDRs or ranges a-b on the hosts' segment; none: the nodes' own addresses",
  },
  'root-ca-file': { type: 'string', help: 'CA certificate that is published as kube-root-ca.crt' },
  'service-account-private-key-file': {
    type: 'string',
    help: 'Key that signs tokens which lie in Secrets; without it there are none',
  },
  'cluster-signing-cert-file': { type: 'string', help: 'CA certificate that signs certificate requests' },
  'cluster-signing-key-file': { type: 'string', help: 'Its key' },
  'cluster-signing-duration': { type: 'duration', default: '8760h', help: 'Longest life of signed certificates' },
  'node-monitor-period': { type: 'duration', default: '5s', help: 'How often nodes are looked at' },
  'node-monitor-grace-period': { type: 'duration', default: '50s', help: 'How long a node may be silent before it counts as unreachable' },
  'node-startup-grace-period': { type: 'duration', default: '60s', help: 'The same for a node that has not reported anything yet' },
  'node-eviction-rate': { type: 'number', default: 0.1, help: 'Lost nodes per second of a zone whose pods are evicted' },
  'secondary-node-eviction-rate': {
    type: 'number',
    default: 0.01,
    help: 'The same while too many nodes of the zone are down (see --unhealthy-zone-threshold); 0 in zones that are not large',
  },
  'large-cluster-size-threshold': { type: 'integer', default: 50, help: 'A zone is large if it has more nodes than this' },
  'unhealthy-zone-threshold': {
    type: 'number',
    default: 0.55,
    help: 'Share of nodes of a zone (and at least 3) that must be not ready for the zone to be unhealthy',
  },
  'node-removal-after': {
    type: 'duration',
    default: '0',
    help: 'Delete the Node of a host that has been silent for so long, unless it is of the control plane; 0 deletes none',
  },
  'terminated-pod-gc-threshold': { type: 'integer', default: 12500, help: 'Ended pods beyond this number are deleted; 0 keeps all' },
  'horizontal-pod-autoscaler-sync-period': { type: 'duration', default: '15s', help: 'How often each autoscaler is looked at' },
  'horizontal-pod-autoscaler-downscale-stabilization': {
    type: 'duration',
    default: '5m',
    help: 'For how long there are no fewer pods than were recommended, where an autoscaler says nothing about it',
  },
  'horizontal-pod-autoscaler-tolerance': {
    type: 'number',
    default: 0.1,
    help: 'Share of the target by which a metric may be off before anything is done',
  },
  'horizontal-pod-autoscaler-cpu-initialization-period': {
    type: 'duration',
    default: '5m',
    help: 'How long after its start the CPU use of a pod that is not ready is passed over',
  },
  'horizontal-pod-autoscaler-initial-readiness-delay': {
    type: 'duration',
    default: '30s',
    help: 'Changes of readiness so soon after the start count as its beginning',
  },
  'legacy-service-account-token-clean-up-period': {
    type: 'duration',
    default: '8760h',
    help: 'How long a token in a Secret may be unused before it is marked as invalid, and then before it is deleted',
  },
  'leader-elect': { type: 'boolean', default: true, help: 'Campaign for the lease before running; for more than one replica' },
  'leader-elect-identity': {
    type: 'string',
    help: 'Name of this candidate, kept over restarts so that they need not wait for the lease; only where nothing else uses it. Default: host name and a random id',
  },
  'leader-elect-lease-duration': { type: 'duration', default: '15s', help: 'How long others wait for a silent leader' },
  'leader-elect-renew-deadline': { type: 'duration', default: '10s', help: 'How long the leader tries to renew' },
  'leader-elect-retry-period': { type: 'duration', default: '2s', help: 'Time between tries' },
  'leader-elect-resource-namespace': { type: 'string', default: 'kube-system', help: 'Namespace of the lease' },
  'leader-elect-resource-name': { type: 'string', default: 'kube-controller-manager', help: 'Name of the lease' },
  'secure-port': { type: 'integer', default: 10257, help: 'Port of /healthz and /metrics (HTTP, loopback only); 0 for none' },
  v: { type: 'string', default: 'info', help: 'Log level: trace, debug, info, warn, error' },
} as const satisfies FlagTable;
