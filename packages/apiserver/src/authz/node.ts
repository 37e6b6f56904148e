import { lookupTable } from '@skiff/apimachinery';
import type { ObjectAccess, UserInfo } from '../contract.ts';
import { requiredFieldValue } from '../request/request-info.ts';
import { type AuthorizationAttributes, type Decision, type ImmediateAuthorizer, noOpinion } from './authorizer.ts';
import { createNodeGraph, type GraphKind, type NodeGraph } from './node-graph.ts';
import { nodeRules } from './node-rules.ts';
import { ruleAllows } from './policy-rule.ts';

const namePrefix = 'system:node:';

/** The node that a user is; undefined when the user is none, '' when its name is missing. */
export function nodeIdentity(user: UserInfo): string | undefined {
  if (!user.name.startsWith(namePrefix) || !user.groups.includes('system:nodes')) return undefined;
  return user.name.slice(namePrefix.length);
}

const allow: Decision = { decision: 'allow', reason: '' };
const no = (reason: string): Decision => ({ decision: 'no-opinion', reason });

/** Decides for one resource; absent resources follow the static rules. */
type ResourcePolicy = (node: string, a: AuthorizationAttributes, graph: NodeGraph) => Decision;

function related(kind: GraphKind): ResourcePolicy {
  return (node, a, graph) => {
    if (a.name === '') return no('No Object name found');
    return graph.reaches(node, kind, a.namespace, a.name) ? allow : no(`no relationship found between node '${node}' and this object`);
  };
}

/** get, list and watch of single objects in a namespace. */
const readRelated =
  (kind: GraphKind): ResourcePolicy =>
  (node, a, graph) => {
    if (a.verb !== 'get' && a.verb !== 'list' && a.verb !== 'watch') return no('can only read resources of this type');
    if (a.subresource !== '') return no('cannot read subresource');
    if (a.namespace === '') return no('can only read namespaced object of this type');
    return related(kind)(node, a, graph);
  };

const getRelated =
  (kind: GraphKind): ResourcePolicy =>
  (node, a, graph) => {
    if (a.verb !== 'get') return no('can only get individual resources of this type');
    if (a.subresource !== '') return no('cannot get subresource');
    return related(kind)(node, a, graph);
  };

const claims: ResourcePolicy = (node, a, graph) => {
  if (a.subresource !== 'status') return getRelated('claim')(node, a, graph);
  if (a.verb !== 'update' && a.verb !== 'patch') return no('can only get/update/patch this type');
  return related('claim')(node, a, graph);
};

const serviceAccounts: ResourcePolicy = (node, a, graph) => {
  if (a.verb === 'get' && a.subresource === '') return readRelated('serviceAccount')(node, a, graph);
  if (a.verb !== 'create' || a.name === '') return no('can only create tokens for individual service accounts');
  if (a.subresource !== 'token') return no('can only create token subresource of serviceaccount');
  return related('serviceAccount')(node, a, graph);
};

const ownVerbs: ReadonlySet<string> = new Set(['get', 'create', 'update', 'patch', 'delete']);

const leases: ResourcePolicy = (node, a) => {
  if (!ownVerbs.has(a.verb)) return no('can only get, create, update, patch, or delete a node lease');
  if (a.namespace !== 'kube-node-lease') return no('can only access leases in the "kube-node-lease" system namespace');
  // On create the name isn't known yet: NodeRestriction checks it.
  if (a.verb !== 'create' && a.name !== node) return no('can only access node lease with the same name as the requesting node');
  return allow;
};

const csiNodes: ResourcePolicy = (node, a) => {
  if (!ownVerbs.has(a.verb)) return no('can only get, create, update, patch, or delete a CSINode');
  if (a.subresource !== '') return no('cannot authorize CSINode subresources');
  if (a.verb !== 'create' && a.name !== node) return no('can only access CSINode with the same name as the requesting node');
  return allow;
};

const nodes: ResourcePolicy = (node, a) => {
  if (a.subresource === 'status') return a.verb === 'update' || a.verb === 'patch' ? allow : noOpinion;
  if (a.subresource !== '') return noOpinion;
  if (a.verb === 'create' || a.verb === 'update' || a.verb === 'patch') return allow;
  // Beyond upstream: a host that leaves takes its Node with it.
  if (a.verb === 'delete' && a.name === node) return allow;
  if (a.verb !== 'get' && a.verb !== 'list' && a.verb !== 'watch') return noOpinion;
  if (a.name === node) return allow;
  return no(
    a.name === ''
      ? `node '${node}' cannot read all nodes, only its own Node object`
      : `node '${node}' cannot read '${a.name}', only its own Node object`,
  );
};

const selectsNode = (a: AuthorizationAttributes, node: string): boolean =>
  requiredFieldValue(a.fieldSelector ?? '', 'spec.nodeName') === node;

const pods: ResourcePolicy = (node, a, graph) => {
  switch (a.subresource) {
    case '':
      if (a.verb === 'get') return getRelated('pod')(node, a, graph);
      if (a.verb === 'create' || a.verb === 'delete') return allow;
      if (a.verb !== 'list' && a.verb !== 'watch') return noOpinion;
      if (selectsNode(a, node)) return allow;
      return a.name !== '' ? related('pod')(node, a, graph) : no('can only list/watch pods with spec.nodeName field selector');
    case 'status':
      return a.verb === 'update' || a.verb === 'patch' ? allow : noOpinion;
    case 'eviction':
      return a.verb === 'create' ? allow : noOpinion;
    default:
      return noOpinion;
  }
};

const resourceSlices: ResourcePolicy = (node, a, graph) => {
  if (a.subresource !== '') return no('cannot authorize ResourceSlice subresources');
  switch (a.verb) {
    case 'create':
      // Whose it will be is not known yet: NodeRestriction checks it.
      return allow;
    case 'get':
    case 'update':
    case 'patch':
    case 'delete':
      return related('resourceSlice')(node, a, graph);
    case 'watch':
    case 'list':
    case 'deletecollection':
      return selectsNode(a, node) ? allow : no('can only list/watch/deletecollection resourceslices with nodeName field selector');
    default:
      return no(
        'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
      );
  }
};

/** By group/resource. */
const policies = lookupTable<ResourcePolicy>({
  '/secrets': readRelated('secret'),
  '/configmaps': readRelated('configMap'),
  '/persistentvolumeclaims': claims,
  '/persistentvolumes': getRelated('volume'),
  '/serviceaccounts': serviceAccounts,
  '/nodes': nodes,
  '/pods': pods,
  'resource.k8s.io/resourceclaims': getRelated('resourceClaim'),
  'resource.k8s.io/resourceslices': resourceSlices,
  'storage.k8s.io/volumeattachments': getRelated('volumeAttachment'),
  'storage.k8s.io/csinodes': csiNodes,
  'coordination.k8s.io/leases': leases,
});

/** A kubelet reads what its own pods use and writes what is its own (upstream's Node authorizer). NodeRestriction does the finer part. */
export function createNodeAuthorizer(objects: ObjectAccess): ImmediateAuthorizer & Disposable {
  const graph = createNodeGraph(objects);
  return {
    name: 'Node',
    authorize: (a) => {
      const node = nodeIdentity(a.user);
      if (node === undefined) return noOpinion;
      if (node === '') return no(`unknown node for user ${JSON.stringify(a.user.name)}`);
      const policy = a.isResourceRequest ? policies[`${a.group}/${a.resource}`] : undefined;
      if (policy !== undefined) return policy(node, a, graph);
      return nodeRules.some((rule) => ruleAllows(rule, a)) ? allow : noOpinion;
    },
    [Symbol.dispose]: () => graph[Symbol.dispose](),
  };
}
