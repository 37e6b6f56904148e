import { testImages } from '../../e2e/support/images.ts';

type Fields = Readonly<Record<string, unknown>>;

const ports = [
  { name: 'http', port: 80, targetPort: 8080 },
  { name: 'udp', port: 81, targetPort: 8081, protocol: 'UDP' },
];

const podTemplate = (app: string, spec: Fields): Fields => ({
  metadata: { labels: { app } },
  spec: {
    terminationGracePeriodSeconds: 5,
    containers: [{ name: 'main', image: testImages.web1, readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 } }],
    ...spec,
  },
});

const workload = (kind: string, app: string, more: Fields, spec: Fields): object => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: app, namespace: 'default' },
  spec: { selector: { matchLabels: { app } }, template: podTemplate(app, spec), ...more },
});

/** Web servers named by their app; `spec` goes over the pods' spec. */
export const deployment = (app: string, replicas: number, spec: Fields = {}): object => workload('Deployment', app, { replicas }, spec);
export const daemonSet = (app: string, spec: Fields = {}): object => workload('DaemonSet', app, {}, spec);
export const statefulSet = (app: string, replicas: number, spec: Fields = {}): object =>
  workload('StatefulSet', app, { replicas, serviceName: app, podManagementPolicy: 'Parallel' }, spec);

/** A Service of the app of the same name unless `spec` says otherwise: 80 is HTTP, 81 UDP. */
export const service = (name: string, spec: Fields = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { selector: { app: name }, ports, ...spec },
});
