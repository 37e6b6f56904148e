import { account, type BootstrapBinding, group, user } from './rbac-notation.ts';

/** Bootstrap tokens that may bring in nodes. */
const bootstrappers = group('system:bootstrappers:kubeadm:default-node-token');

/** Bindings of component and user roles; controllers' follow from their roles' names. */
export const clusterRoleBindings: readonly BootstrapBinding[] = [
  { name: 'cluster-admin', role: 'cluster-admin', subjects: [group('system:masters')] },
  { name: 'system:basic-user', role: 'system:basic-user', subjects: [group('system:authenticated')] },
  { name: 'system:discovery', role: 'system:discovery', subjects: [group('system:authenticated')] },
  { name: 'system:kube-controller-manager', role: 'system:kube-controller-manager', subjects: [user('system:kube-controller-manager')] },
  { name: 'system:kube-dns', role: 'system:kube-dns', subjects: [account('kube-dns')] },
  { name: 'system:kube-scheduler', role: 'system:kube-scheduler', subjects: [user('system:kube-scheduler')] },
  { name: 'system:monitoring', role: 'system:monitoring', subjects: [group('system:monitoring')] },
  { name: 'system:node', role: 'system:node', subjects: [] },
  { name: 'system:node-proxier', role: 'system:node-proxier', subjects: [user('system:kube-proxy')] },
  {
    name: 'system:public-info-viewer',
    role: 'system:public-info-viewer',
    subjects: [group('system:authenticated'), group('system:unauthenticated')],
  },
  {
    name: 'system:service-account-issuer-discovery',
    role: 'system:service-account-issuer-discovery',
    subjects: [group('system:serviceaccounts')],
  },
  // Joining, under kubeadm's names: tokens ask for a kubelet's first certificate, nodes for their next ones.
  { name: 'kubeadm:kubelet-bootstrap', role: 'system:node-bootstrapper', subjects: [bootstrappers] },
  {
    name: 'kubeadm:node-autoapprove-bootstrap',
    role: 'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    subjects: [bootstrappers],
  },
  {
    name: 'kubeadm:node-autoapprove-certificate-rotation',
    role: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    subjects: [group('system:nodes')],
  },
  { name: 'kubeadm:get-nodes', role: 'kubeadm:get-nodes', subjects: [bootstrappers] },
  { name: 'skiff:certificate-approver', role: 'skiff:certificate-approver', subjects: [user('system:kube-controller-manager')] },
  { name: 'skiff:local-path-provisioner', role: 'skiff:local-path-provisioner', subjects: [user('system:kube-controller-manager')] },
  { name: 'skiff:node-proxy-client', role: 'skiff:node-proxy-client', subjects: [group('system:nodes'), group('system:node-proxier')] },
  { name: 'system:volume-scheduler', role: 'system:volume-scheduler', subjects: [user('system:kube-scheduler')] },
];

export const roleBindings: readonly BootstrapBinding[] = [
  {
    namespace: 'kube-system',
    name: 'skiff:control-plane-certificates',
    role: 'skiff:control-plane-certificates',
    subjects: [group('system:bootstrappers:skiff:control-plane')],
  },
  {
    // Who fails over between apiservers learns of them here.
    namespace: 'default',
    name: 'skiff:apiserver-endpoints',
    role: 'skiff:apiserver-endpoints',
    subjects: [group('system:nodes'), user('system:kube-scheduler'), user('system:kube-controller-manager'), user('system:kube-proxy')],
  },
  {
    namespace: 'kube-public',
    name: 'kubeadm:bootstrap-signer-clusterinfo',
    role: 'kubeadm:bootstrap-signer-clusterinfo',
    subjects: [user('system:anonymous')],
  },
  {
    namespace: 'kube-system',
    name: 'skiff:cluster-config',
    role: 'skiff:cluster-config',
    subjects: [bootstrappers, group('system:nodes')],
  },
  {
    namespace: 'kube-public',
    name: 'system:controller:bootstrap-signer',
    role: 'system:controller:bootstrap-signer',
    subjects: [account('bootstrap-signer')],
  },
  {
    namespace: 'kube-system',
    name: 'system::extension-apiserver-authentication-reader',
    role: 'extension-apiserver-authentication-reader',
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler')],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-controller-manager',
    role: 'system::leader-locking-kube-controller-manager',
    subjects: [user('system:kube-controller-manager'), account('kube-controller-manager'), account('leader-election-controller')],
  },
  {
    namespace: 'kube-system',
    name: 'system::leader-locking-kube-scheduler',
    role: 'system::leader-locking-kube-scheduler',
    subjects: [user('system:kube-scheduler'), account('kube-scheduler')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:bootstrap-signer',
    role: 'system:controller:bootstrap-signer',
    subjects: [account('bootstrap-signer')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:cloud-provider',
    role: 'system:controller:cloud-provider',
    subjects: [account('cloud-provider')],
  },
  {
    namespace: 'kube-system',
    name: 'system:controller:token-cleaner',
    role: 'system:controller:token-cleaner',
    subjects: [account('token-cleaner')],
  },
];
