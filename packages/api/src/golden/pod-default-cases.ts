import type { JsonObject } from '@skiff/apimachinery';
import type { GoldenCase } from './case.ts';

const container: JsonObject = { name: 'c', image: 'nginx' };

/** A POST of a Pod with `spec` merged over a single plain container. */
export const podCase = (name: string, spec: JsonObject, metadata: JsonObject = {}): GoldenCase => ({
  name,
  resource: 'pod',
  object: { metadata: { name: 'p', ...metadata }, spec: { containers: [container], ...spec } },
});

export const podDefaultCases: readonly GoldenCase[] = [
  podCase('a plain pod', {}),
  podCase('volumes', {
    serviceAccountName: 'default',
    volumes: [
      { name: 'none' },
      { name: 'host', hostPath: { path: '/x' } },
      { name: 'secret', secret: { secretName: 's' } },
      { name: 'config', configMap: { name: 'c' } },
      { name: 'downward', downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath: 'metadata.name' } }] } },
      {
        name: 'projected',
        projected: {
          sources: [
            { serviceAccountToken: { path: 't' } },
            { downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath: 'metadata.name' } }] } },
          ],
        },
      },
      {
        name: 'claim',
        ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } } },
      },
      { name: 'image', image: { reference: 'registry.example/x:latest' } },
      { name: 'empty', emptyDir: { sizeLimit: '1024Mi' } },
      { name: 'iscsi', iscsi: { targetPortal: '1.2.3.4:3260', iqn: 'iqn.2001-04.com.example:storage', lun: 0 } },
      { name: 'rbd', rbd: { monitors: ['a'], image: 'i' } },
      { name: 'azure', azureDisk: { diskName: 'd', diskURI: 'https://x/y' } },
      { name: 'scale', scaleIO: { gateway: 'g', system: 's', secretRef: { name: 'x' }, volumeName: 'v' } },
    ],
  }),
  podCase('probes, ports, env and lifecycle', {
    containers: [
      {
        name: 'c',
        image: 'nginx:1.27',
        ports: [{ containerPort: 80 }, { name: 'dns', containerPort: 53, protocol: 'UDP' }],
        env: [
          { name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'B', value: '' },
        ],
        livenessProbe: { httpGet: { port: 80 } },
        readinessProbe: { grpc: { port: 9000 } },
        startupProbe: { exec: { command: ['true'] }, failureThreshold: 7 },
        lifecycle: { postStart: { httpGet: { port: 'http' } }, preStop: { exec: { command: ['sleep', '1'] } } },
      },
    ],
  }),
  podCase('pull policies', {
    containers: [
      'nginx',
      'nginx:latest',
      'nginx:1',
      'localhost:5000/a/b',
      'a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
      'UPPER',
    ].map((image, i) => ({ name: `c${i}`, image })),
  }),
  podCase('resources: requests from limits, rounding, Guaranteed', {
    containers: [{ name: 'c', image: 'x', resources: { limits: { cpu: '0.0005', memory: '1024Mi', 'example.com/gpu': '1' } } }],
  }),
  podCase('resources: Burstable', {
    containers: [
      { name: 'c', image: 'x', resources: { requests: { cpu: '0.5' } } },
      { name: 'd', image: 'x' },
    ],
  }),
  podCase('resources of the pod itself', {
    resources: { limits: { cpu: '2', memory: '1Gi' } },
    initContainers: [
      { name: 'i', image: 'x', resources: { requests: { cpu: '1' } } },
      { name: 's', image: 'x', restartPolicy: 'Always', resources: { requests: { cpu: '200m' } } },
    ],
    containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '500m', memory: '100Mi' } } }],
  }),
  podCase('host network', { hostNetwork: true, containers: [{ name: 'c', image: 'x', ports: [{ containerPort: 80 }] }] }),
  podCase('scheduling gates', { schedulingGates: [{ name: 'example.com/wait' }] }),
  podCase('negative grace period', { terminationGracePeriodSeconds: -1 }),
  podCase('old name of the service account', { serviceAccount: 'old' }),
  podCase(
    'label keys in affinity and spreading',
    {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'zone', labelSelector: { matchLabels: { a: 'b' } }, matchLabelKeys: ['app'], mismatchLabelKeys: ['tenant'] },
          ],
        },
      },
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {}, matchLabelKeys: ['app'] },
      ],
    },
    { labels: { app: 'web', tenant: 'x' } },
  ),
  podCase('AppArmor annotation', {}, { annotations: { 'container.apparmor.security.beta.kubernetes.io/c': 'runtime/default' } }),
];
