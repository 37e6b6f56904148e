import type { FlagTable } from '@skiff/component-base';

export const proxyFlags = {
  kubeconfig: { type: 'string', default: '', help: 'How to reach the apiserver. Not needed with --cleanup.' },
  instance: {
    type: 'string',
    default: 'skiff',
    help: 'Name of this installation on the host; namespace, links and rules are named after it.',
  },
  'root-dir': { type: 'string', default: '/var/lib/skiff/proxy', help: 'Folder for sockets and logs.' },
  'node-name': { type: 'string', default: '', help: 'Name of the Node object of this host.' },
  'service-cluster-ip-range': {
    type: 'list',
    default: ['10.96.0.0/16'],
    help: 'CIDRs of ClusterIPs, the primary one first. ServiceCIDR objects add to them.',
  },
  'cluster-cidr': { type: 'string', default: '10.244.0.0/16', help: 'CIDR of all pods.' },
  'shadow-cidr': {
    type: 'string',
    default: '10.220.0.0/16',
    help: "As large as the pods' CIDR and used for nothing else: stands for client pods on the way to their endpoints.",
  },
  'cluster-dns': { type: 'string', default: '10.96.0.10', help: 'ClusterIP at which DNS is answered.' },
  'cluster-domain': { type: 'string', default: 'cluster.local', help: 'Domain of Services and pods.' },
  'nodeport-addresses': {
    type: 'list',
    default: [],
    help: "Addresses of this host on which node ports are opened: CIDRs, or 'primary' for the node's own; none: all.",
  },
  'healthz-port': { type: 'integer', default: 10256, help: 'Loopback port of /healthz and /metrics; 0: none.' },
  'liveness-port': {
    type: 'integer',
    default: 10261,
    help: 'Port on which nodes see of each other whether they can carry the traffic of load balancers; the same on all nodes.',
  },
  'resolv-conf': { type: 'string', default: '/etc/resolv.conf', help: 'Nameservers for all names outside the cluster.' },
  cleanup: { type: 'boolean', default: false, help: 'Remove everything that this instance made on the host, and end.' },
  v: { type: 'integer', default: 0, help: 'Verbosity: 4 and more log at debug level.' },
} as const satisfies FlagTable;
