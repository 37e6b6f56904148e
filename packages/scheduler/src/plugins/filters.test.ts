import type { PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { CycleContext } from '../framework/cycle-context.ts';
import type { NodeInfo } from '../framework/node-info.ts';
import type { NodeRestriction, SchedulerPlugin } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { cluster, container, node, podInfo, type NodeParts, type PodParts } from '../framework/test-objects.ts';
import { isRejection, type Verdict } from '../framework/verdict.ts';
import { dynamicResources } from './dynamic-resources.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeResourcesFit } from './node-resources-fit.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { createPodTopologySpread } from './pod-topology-spread.ts';
import { schedulingGates } from './scheduling-gates.ts';
import { taintToleration } from './taint-toleration.ts';

/** What a plugin says about a pod on each node: 'ok', or its code and texts. */
function judge(plugin: SchedulerPlugin, pod: PodInfo, state: ReturnType<typeof cluster>): Record<string, string> {
  const context = new CycleContext(state);
  const pre: Verdict | NodeRestriction = plugin.preFilter?.(pod, context) ?? { code: 'ok' };
  const on = (n: NodeInfo): Verdict | { readonly code: 'other node' } => {
    if (pre.code !== 'ok') return pre;
    if ('nodeNames' in pre && !(pre as NodeRestriction).nodeNames.has(n.name)) return { code: 'other node' };
    return plugin.filter?.(pod, n, context) ?? pre;
  };
  return Object.fromEntries(
    state.nodes.map((n) => {
      const verdict = on(n);
      return [n.name, 'reasons' in verdict ? `${verdict.code}: ${verdict.reasons.map((r) => r.text).join(', ')}` : verdict.code];
    }),
  );
}

const judgeOne = (plugin: SchedulerPlugin, pod: PodParts, on: NodeParts = {}, others: readonly PodParts[] = []): string =>
  judge(plugin, podInfo(pod), cluster([node('n', on)], { n: others.map(podInfo) }))['n'] ?? '';

describe('NodeName', () => {
  it.each([
    [undefined, 'ok'],
    ['n', 'ok'],
    ['other', "unresolvable: node(s) didn't match the requested node name"],
  ])('%s', (name, expected) => expect(judgeOne(nodeName, { spec: name === undefined ? {} : { nodeName: name } })).toBe(expected));
});

describe('NodeUnschedulable', () => {
  it.each([
    [{}, {}, 'ok'],
    [{}, { unschedulable: true }, 'unresolvable: node(s) were unschedulable'],
    [{ spec: { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] } }, { unschedulable: true }, 'ok'],
    [{ spec: { tolerations: [{ operator: 'Exists' }] } }, { unschedulable: true }, 'ok'],
  ] as [PodParts, NodeParts, string][])('%o on %o', (pod, on, expected) => expect(judgeOne(nodeUnschedulable, pod, on)).toBe(expected));
});

describe('TaintToleration', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' };
  const rejected = 'unresolvable: node(s) had untolerated taint(s)';
  it.each([
    ['no toleration', [], [taint], rejected],
    ['NoExecute too', [], [{ ...taint, effect: 'NoExecute' }], rejected],
    ['a preference keeps nobody away', [], [{ ...taint, effect: 'PreferNoSchedule' }], 'ok'],
    ['equal', [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }], [taint], 'ok'],
    ['no operator is Equal', [{ key: 'k', value: 'v' }], [taint], 'ok'],
    ['another value', [{ key: 'k', value: 'w' }], [taint], rejected],
    ['another effect', [{ key: 'k', value: 'v', effect: 'NoExecute' }], [taint], rejected],
    ['exists', [{ key: 'k', operator: 'Exists' }], [taint], 'ok'],
    ['everything', [{ operator: 'Exists' }], [taint, { key: 'x', effect: 'NoExecute' }], 'ok'],
    ['one of two', [{ key: 'k', operator: 'Exists' }], [taint, { key: 'x', effect: 'NoSchedule' }], rejected],
  ])('%s', (_, tolerations, taints, expected) => expect(judgeOne(taintToleration, { spec: { tolerations } }, { taints })).toBe(expected));
});

describe('NodeAffinity', () => {
  const rejected = "unresolvable: node(s) didn't match Pod's node affinity/selector";
  const required = (...terms: { matchExpressions?: object[]; matchFields?: object[] }[]): PodParts =>
    ({
      spec: { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } } } },
    }) as PodParts;
  const expression = (operator: string, ...values: string[]): { matchExpressions: object[] } => ({
    matchExpressions: [{ key: 'size', operator, values }],
  });
  const on: NodeParts = { labels: { size: '5', zone: 'a' } };
  it.each([
    ['nodeSelector', { spec: { nodeSelector: { zone: 'a' } } }, 'ok'],
    ['another value', { spec: { nodeSelector: { zone: 'b' } } }, rejected],
    ['In', required(expression('In', '4', '5')), 'ok'],
    ['NotIn', required(expression('NotIn', '5')), rejected],
    ['Gt', required(expression('Gt', '4')), 'ok'],
    ['Lt', required(expression('Lt', '5')), rejected],
    ['Exists', required(expression('Exists')), 'ok'],
    ['DoesNotExist', required(expression('DoesNotExist')), rejected],
    ['one term of several', required(expression('In', '1'), expression('In', '5')), 'ok'],
    ['a term without requirements', required({}), rejected],
    ['no terms', required(), rejected],
    ['selector and affinity', { spec: { nodeSelector: { zone: 'b' }, ...required(expression('Exists')).spec } }, rejected],
    ['by name', required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] }), 'ok'],
    ['by another name', required({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['m'] }] }), 'other node'],
    [
      'names that contradict',
      required({
        matchFields: [
          { key: 'metadata.name', operator: 'In', values: ['n'] },
          { key: 'metadata.name', operator: 'In', values: ['m'] },
        ],
      }),
      'unresolvable: pod affinity terms conflict',
    ],
    ['nothing asked', {}, 'skip'],
  ] as [string, PodParts, string][])('%s', (_, pod, expected) => expect(judgeOne(nodeAffinity, pod, on)).toBe(expected));
});

describe('NodePorts', () => {
  const withPort = (hostPort: number, hostIP = '', protocol = 'TCP'): PodParts => ({
    spec: { containers: [container(undefined, { ports: [{ containerPort: 80, hostPort, hostIP, protocol }] })] },
  });
  const rejected = "unschedulable: node(s) didn't have free ports for the requested pod ports";
  it.each([
    ['no host port', {}, withPort(80), 'skip'],
    ['free', withPort(80), withPort(81), 'ok'],
    ['taken', withPort(80), withPort(80), rejected],
    ['another protocol', withPort(80), withPort(80, '', 'UDP'), 'ok'],
    ['another address', withPort(80, '10.0.0.1'), withPort(80, '10.0.0.2'), 'ok'],
    ['the same address', withPort(80, '10.0.0.1'), withPort(80, '10.0.0.1'), rejected],
    ['all addresses against one', withPort(80), withPort(80, '10.0.0.2'), rejected],
    ['one against all addresses', withPort(80, '10.0.0.1'), withPort(80, '0.0.0.0'), rejected],
  ])('%s', (_, pod, other, expected) => expect(judgeOne(nodePorts, pod, {}, [other])).toBe(expected));
});

describe('NodeResourcesFit', () => {
  const small: NodeParts = { allocatable: { cpu: '2', memory: '1Gi', pods: '2', 'example.com/gpu': '1' } };
  it.each([
    ['fits', { requests: { cpu: '1' } }, [{ requests: { cpu: '1' } }], 'ok'],
    ['too little left', { requests: { cpu: '1500m' } }, [{ requests: { cpu: '1' } }], 'unschedulable: Insufficient cpu'],
    ['more than the node has', { requests: { cpu: '3' } }, [], 'unresolvable: Insufficient cpu'],
    ['several', { requests: { cpu: '3', memory: '2Gi' } }, [], 'unresolvable: Insufficient cpu, Insufficient memory'],
    ['pods', {}, [{}, {}], 'unschedulable: Too many pods'],
    [
      'extended',
      { requests: { 'example.com/gpu': '1' } },
      [{ requests: { 'example.com/gpu': '1' } }],
      'unschedulable: Insufficient example.com/gpu',
    ],
    ['extended that is not there', { requests: { 'example.com/tpu': '1' } }, [], 'unresolvable: Insufficient example.com/tpu'],
    ['asking for nothing is always possible', {}, [{ requests: { cpu: '9' } }], 'ok'],
  ] as [string, PodParts, PodParts[], string][])('%s', (_, pod, others, expected) =>
    expect(judgeOne(nodeResourcesFit, pod, small, others)).toBe(expected),
  );

  it('keeps the numbers', () => {
    const state = cluster([node('n', small)], { n: [podInfo({ requests: { cpu: '1' } })] });
    const verdict = nodeResourcesFit.filter?.(podInfo({ requests: { cpu: '1500m' } }), state.nodes[0] as never, new CycleContext(state));
    expect(verdict && isRejection(verdict) && verdict.reasons).toEqual([
      { text: 'Insufficient cpu', numbers: { requested: 1500, used: 1000, capacity: 2000 } },
    ]);
  });
});

describe('DynamicResources', () => {
  it.each<[PodSpec['resourceClaims'], string]>([
    [undefined, 'skip'],
    [[{ name: 'gpu', resourceClaimName: 'a' }], 'unresolvable: the pod has resource claims, which this cluster does not allocate'],
  ])('%j', (resourceClaims, expected) =>
    expect(judgeOne(dynamicResources, { spec: resourceClaims === undefined ? {} : { resourceClaims } })).toBe(expected),
  );
});

describe('SchedulingGates', () => {
  it('keeps a pod out while it has gates', () => {
    expect(schedulingGates.preEnqueue?.(podInfo({ spec: { schedulingGates: [{ name: 'a' }, { name: 'b' }] } }))).toEqual({
      code: 'unresolvable',
      reasons: [{ text: 'waiting for scheduling gates: [a b]' }],
    });
    expect(schedulingGates.preEnqueue?.(podInfo())?.code).toBe('ok');
  });
});

describe('InterPodAffinity', () => {
  const zones = [
    node('a1', { labels: { zone: 'a' } }),
    node('a2', { labels: { zone: 'a' } }),
    node('b1', { labels: { zone: 'b' } }),
    node('x'),
  ];
  const term = (app: string, more: Partial<PodAffinityTerm> = {}): PodAffinityTerm => ({
    topologyKey: 'zone',
    labelSelector: { matchLabels: { app } },
    ...more,
  });
  const near = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
    affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  });
  const away = (...terms: PodAffinityTerm[]): Partial<PodSpec> => ({
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } },
  });
  const web = podInfo({ labels: { app: 'web' } });
  const notNear = "unresolvable: node(s) didn't match pod affinity rules";
  const notAway = "unschedulable: node(s) didn't match pod anti-affinity rules";
  const notWelcome = "unschedulable: node(s) didn't satisfy existing pods anti-affinity rules";
  const everywhere = (text: string) => ({ a1: text, a2: text, b1: text, x: text });
  const on = (nodeName: string, ...pods: PodInfo[]) => cluster(zones, { [nodeName]: pods }, { other: { team: 'red' } });

  it.each([
    ['near', podInfo({ spec: near(term('web')) }), on('a1', web), { a1: 'ok', a2: 'ok', b1: notNear, x: notNear }],
    ['near nobody', podInfo({ spec: near(term('web')) }), on('a1'), everywhere(notNear)],
    [
      'the first of its kind',
      podInfo({ labels: { app: 'web' }, spec: near(term('web')) }),
      on('a1'),
      { a1: 'ok', a2: 'ok', b1: 'ok', x: notNear },
    ],
    ['another namespace', podInfo({ namespace: 'other', spec: near(term('web')) }), on('a1', web), everywhere(notNear)],
    [
      'named namespaces',
      podInfo({ namespace: 'other', spec: near(term('web', { namespaces: ['default'] })) }),
      on('b1', web),
      { a1: notNear, a2: notNear, b1: 'ok', x: notNear },
    ],
    [
      'selected namespaces',
      podInfo({ spec: near(term('web', { namespaceSelector: { matchLabels: { team: 'red' } } })) }),
      on('b1', podInfo({ namespace: 'other', labels: { app: 'web' } })),
      { a1: notNear, a2: notNear, b1: 'ok', x: notNear },
    ],
    ['away', podInfo({ spec: away(term('web')) }), on('a1', web), { a1: notAway, a2: notAway, b1: 'ok', x: 'ok' }],
    [
      'not wanted by who is there',
      podInfo({ labels: { app: 'web' } }),
      on('a1', podInfo({ spec: away(term('web')) })),
      { a1: notWelcome, a2: notWelcome, b1: 'ok', x: 'ok' },
    ],
    ['nothing to do', podInfo(), on('a1', web), everywhere('skip')],
  ])('%s', (_, pod, state, expected) => expect(judge(interPodAffinity, pod, state)).toEqual(expected));
});

describe('PodTopologySpread', () => {
  const plugin = createPodTopologySpread({ siblingsOf: () => undefined });
  const zones = [node('a1', { labels: { zone: 'a' } }), node('b1', { labels: { zone: 'b' } }), node('x')];
  const spread = (more: Partial<TopologySpreadConstraint> = {}): PodInfo =>
    podInfo({
      labels: { app: 'web' },
      spec: {
        topologySpreadConstraints: [
          { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'web' } }, ...more },
        ],
      },
    });
  const web = (): PodInfo => podInfo({ labels: { app: 'web' } });
  const skewed = "unschedulable: node(s) didn't match pod topology spread constraints";
  const x = "unresolvable: node(s) didn't match pod topology spread constraints (missing required label)";
  it.each([
    ['even', spread(), { a1: [web()], b1: [web()] }, { a1: 'ok', b1: 'ok', x }],
    ['one ahead', spread(), { a1: [web()] }, { a1: skewed, b1: 'ok', x }],
    ['one ahead is allowed', spread({ maxSkew: 2 }), { a1: [web()] }, { a1: 'ok', b1: 'ok', x }],
    ['others do not count', spread(), { a1: [podInfo({ labels: { app: 'db' } })] }, { a1: 'ok', b1: 'ok', x }],
    [
      'those who leave do not count',
      spread(),
      { a1: [podInfo({ labels: { app: 'web' }, metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } })] },
      { a1: 'ok', b1: 'ok', x },
    ],
    ['too few domains', spread({ minDomains: 3 }), { a1: [web()], b1: [web()] }, { a1: skewed, b1: skewed, x }],
    ['only a wish', spread({ whenUnsatisfiable: 'ScheduleAnyway' }), { a1: [web(), web()] }, { a1: 'skip', b1: 'skip', x: 'skip' }],
    [
      'revisions of their own',
      spread({ matchLabelKeys: ['hash'] }),
      { a1: [podInfo({ labels: { app: 'web', hash: 'old' } })] },
      { a1: 'ok', b1: 'ok', x },
    ],
  ])('%s', (name, pod, pods, expected) => {
    const incoming = name === 'revisions of their own' ? { ...pod, labels: { ...pod.labels, hash: 'new' } } : pod;
    expect(judge(plugin, incoming, cluster(zones, pods))).toEqual(expected);
  });
});
