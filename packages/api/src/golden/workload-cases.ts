import type { JsonObject } from '@skiff/apimachinery';
import type { GoldenCase } from './case.ts';

const template: JsonObject = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'x' }] } };
const selector: JsonObject = { matchLabels: { app: 'a' } };
const badTemplate: JsonObject = {
  metadata: { labels: { app: 'b', 'a b': 'c' }, annotations: { 'a b': '' } },
  spec: {
    containers: [{ name: 'C', image: '' }],
    restartPolicy: 'Never',
    activeDeadlineSeconds: 1,
    ephemeralContainers: [{ name: 'e', image: 'x' }],
  },
};

const make =
  (resource: string, spec: JsonObject) =>
  (name: string, more: JsonObject = {}, change?: JsonObject, subresource?: string): GoldenCase => ({
    name: `${resource}: ${name}`,
    resource,
    object: { metadata: { name: 'w' }, spec: { ...spec, ...more } },
    ...(change === undefined ? {} : { change }),
    ...(subresource === undefined ? {} : { subresource }),
  });

const deployment = make('deployment', { selector, template });
const replicaSet = make('replicaSet', { selector, template });
const rc = make('replicationController', { template });
const statefulSet = make('statefulSet', { selector, template, serviceName: 's' });
const daemonSet = make('daemonSet', { selector, template });

const selectorCases = (w: typeof deployment): readonly GoldenCase[] => [
  w('plain'),
  w('no selector', { selector: null }),
  w('empty selector', { selector: {} }),
  w('a selector that does not match', { selector: { matchLabels: { app: 'z' } } }),
  w('a broken selector', { selector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }),
  w('an unknown operator', { selector: { matchExpressions: [{ key: 'app', operator: 'Like', values: ['a'] }] } }),
  w('a bad template', { template: badTemplate }),
  w('negative numbers', { replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1 }),
  w(
    'another selector',
    {},
    { spec: { selector: { matchLabels: { app: 'a', x: null, y: 'z' } }, template: { metadata: { labels: { y: 'z' } } } } },
  ),
  w('another image', {}, { spec: { template: { spec: { nodeSelector: { a: 'b' } } } } }),
  w('a label', {}, { metadata: { labels: { a: 'b' } } }),
  w('an annotation', {}, { metadata: { annotations: { a: 'b' } } }),
  w('status on the main resource', {}, { status: { replicas: 3 } }),
  w('status', {}, { metadata: { labels: { a: 'b' } }, spec: { minReadySeconds: 5 }, status: { observedGeneration: 1 } }, 'status'),
];

const counts = { replicas: 1, readyReplicas: 2, availableReplicas: 3, updatedReplicas: 4, fullyLabeledReplicas: 5, currentReplicas: 6 };

export const workloadCases: readonly GoldenCase[] = [
  ...selectorCases(deployment),
  deployment('unknown strategy', { strategy: { type: 'Foo' } }),
  deployment('recreate with numbers', { strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }),
  deployment('no room to roll', { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } }),
  deployment('bad percentages', { strategy: { rollingUpdate: { maxSurge: 'a', maxUnavailable: '101%' } } }),
  deployment('negative surge', { strategy: { rollingUpdate: { maxSurge: -1, maxUnavailable: -1 } } }),
  deployment('a deadline before ready', { minReadySeconds: 10, progressDeadlineSeconds: 10 }),
  deployment('bad status', {}, { status: { ...counts, collisionCount: -1, observedGeneration: -1 } }, 'status'),
  { name: 'deployment: a name with dots', resource: 'deployment', object: { metadata: { name: 'a.b' }, spec: { selector, template } } },
  { name: 'deployment: a bad name', resource: 'deployment', object: { metadata: { name: 'A' }, spec: { selector, template } } },
  deployment('warnings of the template', {
    template: {
      metadata: { labels: { app: 'a' }, annotations: { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' } },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'x',
            env: [
              { name: 'A', value: '1' },
              { name: 'A', value: '2' },
              { name: 'B', value: '1' },
              { name: 'B', value: '$(B)2' },
            ],
            ports: [
              { containerPort: 80, name: 'a' },
              { containerPort: 80, hostPort: 1 },
              { containerPort: 80 },
              { containerPort: 81, name: 'a', hostIP: '1.2.3.4' },
            ],
            resources: { limits: { memory: '100m' } },
          },
        ],
        nodeSelector: { 'beta.kubernetes.io/os': 'linux' },
        topologySpreadConstraints: [
          { maxSkew: 1, topologyKey: 'failure-domain.beta.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' },
        ],
        hostAliases: [{ ip: '1.2.3.4' }, { ip: '1.2.3.4' }],
        imagePullSecrets: [{ name: 'a' }, { name: 'a' }, {}],
        terminationGracePeriodSeconds: -1,
        dnsConfig: { nameservers: ['2001:DB8::1'] },
        volumes: [
          {
            name: 'v',
            configMap: {
              name: 'c',
              items: [
                { key: 'a', path: 'x' },
                { key: 'b', path: 'x/y' },
              ],
            },
          },
          {
            name: 'p',
            projected: {
              sources: [
                {},
                { secret: { name: 's', items: [{ key: 'a', path: 'q' }] } },
                { configMap: { name: 'c', items: [{ key: 'b', path: 'q/r' }] } },
              ],
            },
          },
        ],
        affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'z' }] } },
      },
    },
  }),
  ...selectorCases(replicaSet),
  replicaSet('bad status', {}, { status: counts }, 'status'),
  rc('plain'),
  rc('selector given', { selector: { app: 'z' } }),
  rc('a bad template', { selector: { app: 'b' }, template: badTemplate, replicas: -1, minReadySeconds: -1 }),
  rc('no template', { template: null }),
  rc('another selector', {}, { spec: { selector: { app: 'z' } } }),
  rc('status', {}, { status: counts }, 'status'),
  ...selectorCases(statefulSet),
  statefulSet('strategies', {
    podManagementPolicy: 'Foo',
    updateStrategy: { type: 'Bar' },
    persistentVolumeClaimRetentionPolicy: { whenDeleted: 'X', whenScaled: 'Y' },
  }),
  statefulSet('on delete with numbers', { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } }),
  statefulSet('partition', { updateStrategy: { rollingUpdate: { partition: -1 } }, ordinals: { start: -1 }, serviceName: 'A' }),
  statefulSet('claims', {
    volumeClaimTemplates: [
      { metadata: { name: 'd' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
      { metadata: { name: 'e' }, spec: {} },
    ],
    template: {
      metadata: { labels: { app: 'a' } },
      spec: { hostname: 'A', containers: [{ name: 'c', image: 'x', volumeMounts: [{ name: 'd', mountPath: '/d' }] }] },
    },
  }),
  statefulSet('claims that are good', {
    volumeClaimTemplates: [
      { metadata: { name: 'd' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    ],
    template: {
      metadata: { labels: { app: 'a' } },
      spec: { containers: [{ name: 'c', image: 'x', volumeMounts: [{ name: 'd', mountPath: '/d' }] }] },
    },
  }),
  statefulSet('another service', {}, { spec: { serviceName: 't' } }),
  statefulSet('more replicas', {}, { spec: { replicas: 3 } }),
  statefulSet('bad status', {}, { status: { ...counts, observedGeneration: -1 } }, 'status'),
  ...selectorCases(daemonSet),
  daemonSet('unknown strategy', { updateStrategy: { type: 'Foo' } }),
  daemonSet('surge and unavailable', { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: '101%' } } }),
  daemonSet('neither', { updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } }),
  daemonSet(
    'bad status',
    {},
    { status: { numberReady: -1, currentNumberScheduled: -1, desiredNumberScheduled: 1, numberMisscheduled: 0 } },
    'status',
  ),
  { name: 'controllerRevision: no data', resource: 'controllerRevision', object: { metadata: { name: 'r' }, revision: -1 } },
  { name: 'controllerRevision: data', resource: 'controllerRevision', object: { metadata: { name: 'r' }, data: { a: 1 }, revision: 1 } },
  {
    name: 'controllerRevision: data changes',
    resource: 'controllerRevision',
    object: { metadata: { name: 'r' }, data: { a: 1 }, revision: 1 },
    change: { data: { a: 2 } },
  },
  {
    name: 'controllerRevision: data is a list',
    resource: 'controllerRevision',
    object: { metadata: { name: 'r' }, data: [1], revision: 1 },
  },
  { name: 'podTemplate', resource: 'podTemplate', object: { metadata: { name: 't' }, template } },
  { name: 'podTemplate: bad', resource: 'podTemplate', object: { metadata: { name: 't' }, template: badTemplate } },
  {
    name: 'podTemplate: changed',
    resource: 'podTemplate',
    object: { metadata: { name: 't' }, template },
    change: { template: { metadata: { labels: { x: 'y' } } } },
  },
];
