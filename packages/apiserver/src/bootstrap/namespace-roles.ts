import { type BootstrapRole, rule } from './rbac-notation.ts';

/** Roles inside kube-system, kube-public and default. */
export const namespaceRoles: readonly BootstrapRole[] = [
  {
    // Whoever wants to join reads it before it can prove anything; it is signed with the tokens.
    namespace: 'kube-public',
    name: 'kubeadm:bootstrap-signer-clusterinfo',
    rules: [rule('', 'configmaps', 'get', 'cluster-info')],
  },
  {
    namespace: 'kube-system',
    name: 'skiff:cluster-config',
    rules: [rule('', 'configmaps', 'get', 'skiff-config')],
  },
  {
    // What a host that joins the control plane is handed over, encrypted.
    namespace: 'kube-system',
    name: 'skiff:control-plane-certificates',
    rules: [rule('', 'secrets', 'get', 'skiff-certs')],
  },
  {
    // Not upstream's: kubelets fail over between the apiservers that this object names.
    namespace: 'default',
    name: 'skiff:apiserver-endpoints',
    rules: [rule('', 'endpoints', 'get,list,watch', 'kubernetes')],
  },
  {
    namespace: 'kube-public',
    name: 'system:controller:bootstrap-signer',
    rules: [
      rule('', 'configmaps', 'get,list,watch'),
      rule('', 'configmaps', 'update', 'cluster-info'),
      rule(',events.k8s.io', 'events', 'create,patch,update'),
    ],
  },
  {
    namespace: 'kube-system',
    name: 'extension-apiserver-authentication-reader',
    rules: [rule('', 'configmaps', 'get,list,watch', 'extension-apiserver-authentication')],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-controller-manager',
    rules: [
      rule('coordination.k8s.io', 'leases', 'create,get,list,update,watch'),
      rule('coordination.k8s.io', 'leasecandidates', 'create,get,list,update,watch'),
    ],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-scheduler',
    rules: [
      rule('coordination.k8s.io', 'leases', 'create,get,list,update,watch'),
      rule('coordination.k8s.io', 'leasecandidates', 'create,get,list,update,watch'),
    ],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:bootstrap-signer',
    rules: [rule('', 'secrets', 'get,list,watch')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:cloud-provider',
    rules: [rule('', 'configmaps', 'create,get,list,watch')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:token-cleaner',
    rules: [rule('', 'secrets', 'delete,get,list,watch'), rule(',events.k8s.io', 'events', 'create,patch,update')],
  },
];
