import { type BootstrapRole, rule, urls } from './rbac-notation.ts';

/** Roles of components, of discovery and of certificate signing. */
export const componentRoles: readonly BootstrapRole[] = [
  {
    name: 'system:auth-delegator',
    rules: [rule('authentication.k8s.io', 'tokenreviews', 'create'), rule('authorization.k8s.io', 'subjectaccessreviews', 'create')],
  },
  {
    name: 'system:basic-user',
    rules: [
      rule('authorization.k8s.io', 'selfsubjectaccessreviews,selfsubjectrulesreviews', 'create'),
      rule('authentication.k8s.io', 'selfsubjectreviews', 'create'),
    ],
  },
  {
    name: 'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    rules: [rule('certificates.k8s.io', 'certificatesigningrequests/nodeclient', 'create')],
  },
  {
    name: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    rules: [rule('certificates.k8s.io', 'certificatesigningrequests/selfnodeclient', 'create')],
  },
  {
    name: 'system:certificates.k8s.io:kube-apiserver-client-approver',
    rules: [rule('certificates.k8s.io', 'signers', 'approve', 'kubernetes.io/kube-apiserver-client')],
  },
  {
    name: 'system:certificates.k8s.io:kube-apiserver-client-kubelet-approver',
    rules: [rule('certificates.k8s.io', 'signers', 'approve', 'kubernetes.io/kube-apiserver-client-kubelet')],
  },
  {
    name: 'system:certificates.k8s.io:kubelet-serving-approver',
    rules: [rule('certificates.k8s.io', 'signers', 'approve', 'kubernetes.io/kubelet-serving')],
  },
  {
    name: 'system:certificates.k8s.io:legacy-unknown-approver',
    rules: [rule('certificates.k8s.io', 'signers', 'approve', 'kubernetes.io/legacy-unknown')],
  },
  { name: 'kubeadm:get-nodes', rules: [rule('', 'nodes', 'get')] },
  {
    // What the approving controller decides here beside what it decides upstream.
    name: 'skiff:certificate-approver',
    rules: [rule('certificates.k8s.io', 'signers', 'approve', 'kubernetes.io/kube-apiserver-client,kubernetes.io/kubelet-serving')],
  },
  {
    // Directories on nodes for PersistentVolumes: the controller asks each node's kubelet.
    name: 'skiff:local-path-provisioner',
    rules: [rule('', 'nodes/proxy', 'delete,update')],
  },
  {
    // The certificate of a host's proxy: its kubelet asks for the first, it asks for the next ones itself.
    name: 'skiff:node-proxy-client',
    rules: [
      rule('certificates.k8s.io', 'certificatesigningrequests', 'create,get,list,watch'),
      rule('certificates.k8s.io', 'certificatesigningrequests/nodeproxyclient', 'create'),
    ],
  },
  {
    name: 'system:discovery',
    rules: [urls('/api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/', 'get')],
  },
  {
    name: 'system:heapster',
    rules: [rule('', 'events,namespaces,nodes,pods', 'get,list,watch'), rule('extensions', 'deployments', 'get,list,watch')],
  },
  {
    name: 'system:kube-aggregator',
    rules: [rule('', 'endpoints,services', 'get,list,watch')],
  },
  {
    name: 'system:kube-controller-manager',
    rules: [
      rule(',events.k8s.io', 'events', 'create,patch,update'),
      rule('coordination.k8s.io', 'leases', 'create'),
      rule('coordination.k8s.io', 'leases', 'get,update', 'kube-controller-manager'),
      rule('', 'secrets,serviceaccounts', 'create'),
      rule('', 'secrets', 'delete'),
      rule('', 'configmaps,namespaces,secrets,serviceaccounts', 'get'),
      rule('', 'secrets,serviceaccounts', 'update'),
      rule('authentication.k8s.io', 'tokenreviews', 'create'),
      rule('authorization.k8s.io', 'subjectaccessreviews', 'create'),
      rule('*', '*', 'list,watch'),
      rule('', 'serviceaccounts/token', 'create'),
    ],
  },
  {
    name: 'system:kube-dns',
    rules: [rule('', 'endpoints,services', 'list,watch')],
  },
  {
    name: 'system:kube-scheduler',
    rules: [
      rule(',events.k8s.io', 'events', 'create,patch,update'),
      rule('coordination.k8s.io', 'leases', 'create'),
      rule('coordination.k8s.io', 'leases', 'get,list,update,watch', 'kube-scheduler'),
      rule('coordination.k8s.io', 'leasecandidates', 'create,delete,deletecollection,get,list,patch,update,watch'),
      rule('', 'nodes', 'get,list,watch'),
      rule('', 'pods', 'delete,get,list,watch'),
      rule('', 'bindings,pods/binding', 'create'),
      rule('', 'pods/status', 'patch,update'),
      rule('', 'replicationcontrollers,services', 'get,list,watch'),
      rule('apps,extensions', 'replicasets', 'get,list,watch'),
      rule('apps', 'statefulsets', 'get,list,watch'),
      rule('policy', 'poddisruptionbudgets', 'get,list,watch'),
      rule('', 'persistentvolumeclaims,persistentvolumes', 'get,list,watch'),
      rule('authentication.k8s.io', 'tokenreviews', 'create'),
      rule('authorization.k8s.io', 'subjectaccessreviews', 'create'),
      rule('storage.k8s.io', 'csinodes', 'get,list,watch'),
      rule('storage.k8s.io', 'volumeattachments', 'get,list,watch'),
      rule('', 'namespaces', 'get,list,watch'),
      rule('storage.k8s.io', 'csidrivers', 'get,list,watch'),
      rule('storage.k8s.io', 'csistoragecapacities', 'get,list,watch'),
      rule('resource.k8s.io', 'deviceclasses', 'get,list,watch'),
      rule('resource.k8s.io', 'resourceclaims', 'get,list,patch,update,watch'),
      rule('resource.k8s.io', 'resourceclaims/status', 'get,list,patch,update,watch'),
      rule('', 'pods/finalizers', 'update'),
      rule('resource.k8s.io', 'resourceslices', 'get,list,watch'),
      rule('resource.k8s.io', 'resourceclaims', 'create,delete'),
      rule('resource.k8s.io', 'resourceclaims/binding', 'patch,update'),
    ],
  },
  {
    name: 'system:kubelet-api-admin',
    rules: [
      rule('', 'nodes', 'get,list,watch'),
      rule('', 'nodes', 'proxy'),
      rule('', 'nodes/log,nodes/metrics,nodes/proxy,nodes/stats', '*'),
      rule('', 'nodes/configz,nodes/healthz,nodes/pods', '*'),
    ],
  },
  {
    name: 'system:monitoring',
    rules: [
      urls('/flagz,/healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*,/statusz', 'get'),
      rule('', 'nodes/metrics', 'get'),
    ],
  },
  {
    name: 'system:node',
    rules: [
      rule('authentication.k8s.io', 'tokenreviews', 'create'),
      rule('authorization.k8s.io', 'localsubjectaccessreviews,subjectaccessreviews', 'create'),
      rule('', 'services', 'get,list,watch'),
      rule('', 'nodes', 'create,get,list,watch'),
      rule('', 'nodes/status', 'patch,update'),
      rule('', 'nodes', 'patch,update'),
      rule(',events.k8s.io', 'events', 'create,patch,update'),
      rule('', 'pods', 'get,list,watch'),
      rule('', 'pods', 'create,delete'),
      rule('', 'pods/status', 'patch,update'),
      rule('', 'pods/eviction', 'create'),
      rule('', 'configmaps,secrets', 'get,list,watch'),
      rule('', 'persistentvolumeclaims,persistentvolumes', 'get'),
      rule('', 'endpoints', 'get'),
      rule('certificates.k8s.io', 'certificatesigningrequests', 'create,get,list,watch'),
      rule('coordination.k8s.io', 'leases', 'create,delete,get,patch,update'),
      rule('storage.k8s.io', 'volumeattachments', 'get'),
      rule('', 'serviceaccounts/token', 'create'),
      rule('', 'persistentvolumeclaims/status', 'get,patch,update'),
      rule('storage.k8s.io', 'csidrivers', 'get,list,watch'),
      rule('storage.k8s.io', 'csinodes', 'create,delete,get,patch,update'),
      rule('node.k8s.io', 'runtimeclasses', 'get,list,watch'),
      rule('resource.k8s.io', 'resourceclaims', 'get'),
      rule('resource.k8s.io', 'resourceslices', 'deletecollection'),
      rule('', 'serviceaccounts', 'get'),
    ],
  },
  {
    name: 'system:node-bootstrapper',
    rules: [rule('certificates.k8s.io', 'certificatesigningrequests', 'create,get,list,watch')],
  },
  {
    name: 'system:node-problem-detector',
    rules: [rule('', 'nodes', 'get'), rule('', 'nodes/status', 'patch'), rule(',events.k8s.io', 'events', 'create,patch,update')],
  },
  {
    name: 'system:node-proxier',
    rules: [
      rule('', 'endpoints,services', 'list,watch'),
      rule('', 'nodes', 'get,list,watch'),
      rule(',events.k8s.io', 'events', 'create,patch,update'),
      rule('networking.k8s.io', 'servicecidrs', 'list,watch'),
      // Which node announces the address of a load balancer stands in its IPAddress object.
      rule('networking.k8s.io', 'ipaddresses', 'get,list,patch,watch'),
      rule('discovery.k8s.io', 'endpointslices', 'list,watch'),
    ],
  },
  {
    name: 'system:persistent-volume-provisioner',
    rules: [
      rule('', 'persistentvolumes', 'create,delete,get,list,watch'),
      rule('', 'persistentvolumeclaims', 'get,list,update,watch'),
      rule('storage.k8s.io', 'storageclasses', 'get,list,watch'),
      rule('', 'events', 'watch'),
      rule(',events.k8s.io', 'events', 'create,patch,update'),
    ],
  },
  {
    name: 'system:public-info-viewer',
    rules: [urls('/healthz,/livez,/readyz,/version,/version/', 'get')],
  },
  {
    name: 'system:service-account-issuer-discovery',
    rules: [urls('/.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/', 'get')],
  },
  {
    name: 'system:volume-scheduler',
    rules: [
      rule('', 'persistentvolumes', 'get,list,patch,update,watch'),
      rule('storage.k8s.io', 'storageclasses', 'get,list,watch'),
      rule('', 'persistentvolumeclaims', 'get,list,patch,update,watch'),
    ],
  },
];
