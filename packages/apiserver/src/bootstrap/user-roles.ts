import { type BootstrapRole, rule, urls } from './rbac-notation.ts';

/** The roles for people: cluster-admin, and admin, edit and view with the parts that aggregate into them. */
export const userRoles: readonly BootstrapRole[] = [
  {
    name: 'admin',
    aggregates: [{ 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' }],
    rules: [],
  },
  {
    name: 'cluster-admin',
    rules: [rule('*', '*', '*'), urls('*', '*')],
  },
  {
    name: 'edit',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' },
    aggregates: [{ 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' }],
    rules: [],
  },
  {
    name: 'system:aggregate-to-admin',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' },
    rules: [
      rule('authorization.k8s.io', 'localsubjectaccessreviews', 'create'),
      rule('rbac.authorization.k8s.io', 'rolebindings,roles', 'create,delete,deletecollection,get,list,patch,update,watch'),
    ],
  },
  {
    name: 'system:aggregate-to-edit',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' },
    rules: [
      rule('', 'pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy', 'get,list,watch'),
      rule('', 'serviceaccounts', 'impersonate'),
      rule('', 'pods,pods/attach,pods/exec,pods/portforward,pods/proxy', 'create,delete,deletecollection,patch,update'),
      rule('', 'pods/eviction', 'create'),
      rule(
        '',
        'configmaps,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy',
        'create,delete,deletecollection,patch,update',
      ),
      rule('', 'serviceaccounts/token', 'create'),
      rule(',events.k8s.io', 'events', 'create,delete,deletecollection,patch,update'),
      rule(
        'apps',
        'daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale',
        'create,delete,deletecollection,patch,update',
      ),
      rule('autoscaling', 'horizontalpodautoscalers', 'create,delete,deletecollection,patch,update'),
      rule('batch', 'cronjobs,jobs', 'create,delete,deletecollection,patch,update'),
      rule(
        'extensions',
        'daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale',
        'create,delete,deletecollection,patch,update',
      ),
      rule('policy', 'poddisruptionbudgets', 'create,delete,deletecollection,patch,update'),
      rule('networking.k8s.io', 'ingresses,networkpolicies', 'create,delete,deletecollection,patch,update'),
      rule('coordination.k8s.io', 'leases', 'create,delete,deletecollection,get,list,patch,update,watch'),
      rule('resource.k8s.io', 'resourceclaims,resourceclaimtemplates', 'create,delete,deletecollection,patch,update'),
    ],
  },
  {
    // metrics-server brings it; here metrics.k8s.io is built in.
    name: 'system:aggregated-metrics-reader',
    labels: {
      'rbac.authorization.k8s.io/aggregate-to-admin': 'true',
      'rbac.authorization.k8s.io/aggregate-to-edit': 'true',
      'rbac.authorization.k8s.io/aggregate-to-view': 'true',
    },
    rules: [rule('metrics.k8s.io', 'nodes,pods', 'get,list,watch')],
  },
  {
    name: 'system:aggregate-to-view',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' },
    rules: [
      rule(
        '',
        'configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status',
        'get,list,watch',
      ),
      rule(
        '',
        'bindings,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status',
        'get,list,watch',
      ),
      rule('', 'namespaces', 'get,list,watch'),
      rule(',events.k8s.io', 'events', 'get,list,watch'),
      rule('discovery.k8s.io', 'endpointslices', 'get,list,watch'),
      rule(
        'apps',
        'controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status',
        'get,list,watch',
      ),
      rule('autoscaling', 'horizontalpodautoscalers,horizontalpodautoscalers/status', 'get,list,watch'),
      rule('batch', 'cronjobs,cronjobs/status,jobs,jobs/status', 'get,list,watch'),
      rule(
        'extensions',
        'daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale',
        'get,list,watch',
      ),
      rule('policy', 'poddisruptionbudgets,poddisruptionbudgets/status', 'get,list,watch'),
      rule('networking.k8s.io', 'ingresses,ingresses/status,networkpolicies', 'get,list,watch'),
      rule('resource.k8s.io', 'resourceclaims,resourceclaims/status,resourceclaimtemplates', 'get,list,watch'),
    ],
  },
  {
    name: 'view',
    labels: { 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' },
    aggregates: [{ 'rbac.authorization.k8s.io/aggregate-to-view': 'true' }],
    rules: [],
  },
];
