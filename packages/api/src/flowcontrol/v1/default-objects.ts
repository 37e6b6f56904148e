import type {
  FlowcontrolV1Subject,
  FlowSchema,
  FlowSchemaSpec,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  ResourcePolicyRule,
} from '../../generated/types/flowcontrol-v1.ts';

/** On objects that the server keeps as it made them; `false`: an administrator has taken over. */
export const autoUpdateSpecAnnotation = 'apf.kubernetes.io/autoupdate-spec';

const group = (name: string): FlowcontrolV1Subject => ({ kind: 'Group', group: { name } });
const user = (name: string): FlowcontrolV1Subject => ({ kind: 'User', user: { name } });
const systemAccounts: FlowcontrolV1Subject = { kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: 'kube-system' } };
const everyone = [group('system:unauthenticated'), group('system:authenticated')];

/** In every namespace; `clusterScope`: and outside of them. */
const resources = (verbs: string[], apiGroups: string[], names: string[], clusterScope: boolean): ResourcePolicyRule => ({
  verbs,
  apiGroups,
  resources: names,
  ...(clusterScope ? { clusterScope } : {}),
  namespaces: ['*'],
});
const everything = (subjects: FlowcontrolV1Subject[]): PolicyRulesWithSubjects => ({
  subjects,
  resourceRules: [resources(['*'], ['*'], ['*'], true)],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
});

const metadata = (name: string): { name: string; annotations: Record<string, string> } => ({
  name,
  annotations: { [autoUpdateSpecAnnotation]: 'true' },
});

interface Schema {
  readonly name: string;
  readonly level: string;
  readonly precedence: number;
  readonly by?: 'ByUser' | 'ByNamespace';
}

function flowSchemaOf({ name, level, precedence, by }: Schema, rule: PolicyRulesWithSubjects): FlowSchema & { spec: FlowSchemaSpec } {
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: metadata(name),
    spec: {
      priorityLevelConfiguration: { name: level },
      matchingPrecedence: precedence,
      ...(by === undefined ? {} : { distinguisherMethod: { type: by } }),
      rules: [rule],
    },
  };
}

function levelOf(
  name: string,
  spec: PriorityLevelConfigurationSpec,
): PriorityLevelConfiguration & { spec: PriorityLevelConfigurationSpec } {
  return { apiVersion: 'flowcontrol.apiserver.k8s.io/v1', kind: 'PriorityLevelConfiguration', metadata: metadata(name), spec };
}

/** `queues` and `handSize`; every queue holds 50. */
const queuingLevel = (name: string, shares: number, lendablePercent: number, [queues, handSize]: readonly [number, number]) =>
  levelOf(name, {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: shares,
      lendablePercent,
      limitResponse: { type: 'Queue', queuing: { queues, handSize, queueLengthLimit: 50 } },
    },
  });

/** Without these nothing can be classified; whatever else they are made to say is put back. */
export const mandatoryPriorityLevels = [
  levelOf('exempt', { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
  levelOf('catch-all', {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } },
  }),
] as const;

export const mandatoryFlowSchemas = [
  flowSchemaOf({ name: 'exempt', level: 'exempt', precedence: 1 }, everything([group('system:masters')])),
  flowSchemaOf({ name: 'catch-all', level: 'catch-all', precedence: 10_000, by: 'ByUser' }, everything(everyone)),
] as const;

/** What a cluster begins with; administrators may change these. */
export const suggestedPriorityLevels = [
  queuingLevel('system', 30, 33, [64, 6]),
  queuingLevel('node-high', 40, 25, [64, 6]),
  queuingLevel('leader-election', 10, 0, [16, 4]),
  queuingLevel('workload-high', 40, 50, [128, 6]),
  queuingLevel('workload-low', 100, 90, [128, 6]),
  queuingLevel('global-default', 20, 50, [128, 6]),
] as const;

const controllerManager = user('system:kube-controller-manager');
const scheduler = user('system:kube-scheduler');

export const suggestedFlowSchemas = [
  flowSchemaOf(
    { name: 'probes', level: 'exempt', precedence: 2 },
    { subjects: everyone, nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }] },
  ),
  flowSchemaOf(
    { name: 'system-leader-election', level: 'leader-election', precedence: 100, by: 'ByUser' },
    {
      subjects: [controllerManager, scheduler, systemAccounts],
      resourceRules: [resources(['get', 'create', 'update'], ['coordination.k8s.io'], ['leases'], false)],
    },
  ),
  flowSchemaOf(
    { name: 'system-node-high', level: 'node-high', precedence: 400, by: 'ByUser' },
    {
      subjects: [group('system:nodes')],
      resourceRules: [
        resources(['*'], [''], ['nodes', 'nodes/status'], true),
        resources(['*'], ['coordination.k8s.io'], ['leases'], false),
      ],
    },
  ),
  flowSchemaOf({ name: 'system-nodes', level: 'system', precedence: 500, by: 'ByUser' }, everything([group('system:nodes')])),
  flowSchemaOf(
    { name: 'kube-controller-manager', level: 'workload-high', precedence: 800, by: 'ByNamespace' },
    everything([controllerManager]),
  ),
  flowSchemaOf({ name: 'kube-scheduler', level: 'workload-high', precedence: 800, by: 'ByNamespace' }, everything([scheduler])),
  flowSchemaOf(
    { name: 'kube-system-service-accounts', level: 'workload-high', precedence: 900, by: 'ByNamespace' },
    everything([systemAccounts]),
  ),
  flowSchemaOf(
    { name: 'service-accounts', level: 'workload-low', precedence: 9000, by: 'ByUser' },
    everything([group('system:serviceaccounts')]),
  ),
  flowSchemaOf({ name: 'global-default', level: 'global-default', precedence: 9900, by: 'ByUser' }, everything(everyone)),
] as const;
