import type { JsonObject } from '@skiff/apimachinery';
import type { GoldenCase } from './case.ts';

const base: JsonObject = {
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c', image: 'x' }], activeDeadlineSeconds: 10, tolerations: [{ key: 'a', operator: 'Exists' }] },
};
const gated: JsonObject = {
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c', image: 'x' }], schedulingGates: [{ name: 'g' }, { name: 'h' }], nodeSelector: { a: 'b' } },
};
const container = (more: JsonObject): JsonObject => ({
  name: 'c',
  image: 'x',
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'Always',
  ...more,
});
const change = (name: string, patch: JsonObject, subresource?: string, object: JsonObject = base): GoldenCase => ({
  name,
  resource: 'pod',
  object,
  change: patch,
  ...(subresource === undefined ? {} : { subresource }),
});

const running: JsonObject = {
  containerStatuses: [
    { name: 'c', image: 'x', imageID: '', ready: true, restartCount: 0, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } },
  ],
};

export const podUpdateCases: readonly GoldenCase[] = [
  change('nothing', {}),
  change('labels', { metadata: { labels: { a: 'b' } } }),
  change('image', { spec: { containers: [container({ image: 'y' })] } }),
  change('empty image', { spec: { containers: [container({ image: '' })] } }),
  change('command', { spec: { containers: [container({ command: ['x'] })] } }),
  change('another container', { spec: { containers: [container({}), container({ name: 'd' })] } }),
  change('deadline down', { spec: { activeDeadlineSeconds: 5 } }),
  change('deadline up', { spec: { activeDeadlineSeconds: 15 } }),
  change('deadline gone', { spec: { activeDeadlineSeconds: null } }),
  change('a toleration more', {
    spec: {
      tolerations: [
        { key: 'a', operator: 'Exists' },
        { key: 'b', operator: 'Exists' },
      ],
    },
  }),
  change('a toleration less', { spec: { tolerations: [] } }),
  change('restart policy and node selector', { spec: { restartPolicy: 'Never', nodeSelector: { a: 'b' } } }),
  change('grace period', { spec: { terminationGracePeriodSeconds: 5 } }),
  change('status on the main resource', { status: { phase: 'Running' } }),
  change(
    'gate removed, selector narrowed',
    { spec: { schedulingGates: [{ name: 'h' }], nodeSelector: { a: 'b', c: 'd' } } },
    undefined,
    gated,
  ),
  change(
    'gate added, selector changed',
    { spec: { schedulingGates: [{ name: 'g' }, { name: 'h' }, { name: 'i' }], nodeSelector: { a: 'c' } } },
    undefined,
    gated,
  ),
  change(
    'affinity of a gated pod',
    {
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }],
            },
          },
        },
      },
    },
    undefined,
    gated,
  ),
  change(
    'status',
    { status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }], ...running } },
    'status',
  ),
  change(
    'bad status',
    {
      status: {
        conditions: [{ type: 'a b', status: 'True', observedGeneration: -1 }],
        podIPs: [{ ip: 'x' }, { ip: '1.2.3.4' }, { ip: '1.2.3.5' }],
        hostIPs: [{ ip: '1.2.3.4' }],
        nominatedNodeName: 'A',
        qosClass: 'Guaranteed',
        observedGeneration: -1,
      },
    },
    'status',
  ),
  change('spec through status', { spec: { nodeName: 'n' }, status: { phase: 'Failed' } }, 'status'),
  change(
    'ephemeral container',
    { spec: { ephemeralContainers: [container({ name: 'e', targetContainerName: 'c' })] } },
    'ephemeralcontainers',
  ),
  change(
    'bad ephemeral container',
    {
      spec: {
        ephemeralContainers: [
          container({
            name: 'c',
            image: ' x',
            targetContainerName: 'z',
            ports: [{ containerPort: 1 }],
            livenessProbe: { tcpSocket: { port: 1 } },
            resources: { limits: { cpu: '1' } },
          }),
        ],
      },
    },
    'ephemeralcontainers',
  ),
  change('resize into another class', { spec: { containers: [container({ resources: { requests: { cpu: '1' } } })] } }, 'resize'),
  change('resize', { spec: { containers: [container({ resources: { requests: { cpu: '2' }, limits: { memory: '1Gi' } } })] } }, 'resize', {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '1' } } }] },
  }),
  change('resize that removes', { spec: { containers: [container({ resources: { requests: { memory: '1Gi' } } })] } }, 'resize', {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '1' } } }] },
  }),
];
