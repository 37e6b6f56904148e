import type { Deployment, Namespace, Service } from '@skiff/api';

export const demoNamespace = 'skiff-demo';
export const images = {
  web1: 'skiff.local/demo-web:1',
  web2: 'skiff.local/demo-web:2',
  counter: 'skiff.local/demo-counter:1',
  redis: 'skiff.local/demo-redis:1',
} as const;

export const namespaceManifest: Namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: demoNamespace } };

function deploymentOf(name: string, image: string, o: { replicas: number; port: number; readiness: 'http' | 'tcp' }): Deployment {
  const labels = { app: name };
  const probe = o.readiness === 'http' ? { httpGet: { path: '/healthz', port: o.port } } : { tcpSocket: { port: o.port } };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: demoNamespace },
    spec: {
      replicas: o.replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name,
              image,
              imagePullPolicy: 'IfNotPresent',
              ports: [{ containerPort: o.port }],
              readinessProbe: { ...probe, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}

function serviceOf(name: string, port: number, targetPort: number): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: demoNamespace },
    spec: { selector: { app: name }, ports: [{ port, targetPort }] },
  };
}

export const deployments: readonly Deployment[] = [
  deploymentOf('redis', images.redis, { replicas: 1, port: 6379, readiness: 'tcp' }),
  deploymentOf('counter', images.counter, { replicas: 2, port: 8080, readiness: 'http' }),
  deploymentOf('web', images.web1, { replicas: 3, port: 8080, readiness: 'http' }),
];

const web = serviceOf('web', 80, 8080);
export const services: readonly Service[] = [
  serviceOf('redis', 6379, 6379),
  serviceOf('counter', 8080, 8080),
  { ...web, spec: { ...web.spec, type: 'NodePort' } },
];
