import type { JsonObject } from '@skiff/apimachinery';
import type { GoldenCase } from './case.ts';

const ports = [{ port: 80 }];

function service(
  name: string,
  spec: JsonObject,
  more: { metadata?: JsonObject; change?: JsonObject; subresource?: string } = {},
): GoldenCase {
  const { metadata, ...rest } = more;
  return { name, resource: 'service', object: { metadata: { name: 's', ...metadata }, spec }, ...rest };
}
const balancer: JsonObject = { type: 'LoadBalancer', ports };

export const serviceCases: readonly GoldenCase[] = [
  service('plain', { ports, selector: { app: 'a' } }),
  service('no ports', {}),
  service('headless without ports', { clusterIP: 'None' }),
  service('port names', {
    ports: [
      { port: 80 },
      { port: 0, name: 'A_', protocol: 'X', targetPort: 70000 },
      { port: 80, name: 'b', targetPort: 'Bad_Name' },
      { port: 81, name: 'b', appProtocol: 'a b' },
    ],
  }),
  service('node ports', {
    type: 'NodePort',
    ports: [
      { port: 80, name: 'a', nodePort: 30001 },
      { port: 80, name: 'b', protocol: 'UDP', nodePort: 30001 },
    ],
  }),
  service('node port of a cluster address', { ports: [{ port: 80, nodePort: 30001 }] }),
  service('headless node port', { type: 'NodePort', clusterIP: 'None', ports }),
  service('headless load balancer', { ...balancer, clusterIP: 'None' }),
  service('unknown type', { type: 'Magic', ports }),
  service('selector', { ports, selector: { 'a b': 'c d' } }),
  service('external name', { type: 'ExternalName', externalName: 'a.example.com.' }),
  service('external name missing', { type: 'ExternalName' }),
  service('external name wrong', {
    type: 'ExternalName',
    externalName: 'A_b',
    clusterIP: '10.0.0.1',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
  }),
  service('affinity', { ports, sessionAffinity: 'ClientIP' }),
  service('affinity for ever', { ports, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } }),
  service('affinity unknown', { ports, sessionAffinity: 'Best' }),
  service('affinity of headless', { ports, clusterIP: 'None', sessionAffinity: 'ClientIP' }),
  service('external addresses', {
    ports,
    externalIPs: ['1.2.3.4', '127.0.0.1', '0.0.0.0', '169.254.1.1', '224.0.0.1', '::1', 'fe80::1', 'x', '01.2.3.4'],
  }),
  service('external addresses of note', { ports, externalIPs: ['2001:DB8::0:1', '1.2.3.4'] }),
  service('headless with externals', { ports, clusterIP: 'None', externalIPs: ['1.2.3.4'], loadBalancerIP: '1.2.3.4' }),
  service('ignored external name', { ports, externalName: 'x' }),
  service('cluster address is none', { ports, clusterIP: 'x' }),
  service('several cluster addresses', { ports, clusterIP: '10.0.0.9', clusterIPs: ['10.0.0.8', 'None'] }),
  service('cluster addresses of one family', { ports, clusterIP: '10.0.0.9', clusterIPs: ['10.0.0.9', '10.0.0.8', '10.0.0.7'] }),
  service('cluster addresses without the first', { ports, clusterIPs: ['10.0.0.8'] }),
  service('families', { ports, ipFamilies: ['IPv4', 'IPv5', 'IPv4'], ipFamilyPolicy: 'Any' }),
  service('family and address', { ports, clusterIP: '10.0.0.9', ipFamilies: ['IPv6'] }),
  service('load balancer', { ...balancer, loadBalancerClass: 'example.com/x', loadBalancerSourceRanges: [' 10.0.0.0/8 '] }),
  service('load balancer fields elsewhere', {
    ports,
    loadBalancerClass: 'example.com/x',
    loadBalancerSourceRanges: ['10.0.0.0/8'],
    allocateLoadBalancerNodePorts: false,
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 30005,
  }),
  service('load balancer wrong', {
    ...balancer,
    loadBalancerClass: 'a b',
    loadBalancerSourceRanges: ['10.0.0.0/8', 'x', '10.0.0.1/8'],
    externalTrafficPolicy: 'Far',
  }),
  service('load balancer near', { ...balancer, externalTrafficPolicy: 'Local' }),
  service('source ranges annotation', balancer, {
    metadata: { annotations: { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8, x' } },
  }),
  service(
    'source ranges annotation elsewhere',
    { ports },
    {
      metadata: { annotations: { 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8' } },
    },
  ),
  service(
    'topology annotations',
    { ports },
    {
      metadata: { annotations: { 'service.kubernetes.io/topology-mode': 'auto', 'service.kubernetes.io/topology-aware-hints': 'x' } },
    },
  ),
  service('topology hint', { ports }, { metadata: { annotations: { 'service.kubernetes.io/topology-aware-hints': 'x' } } }),
  service('traffic', { ports, internalTrafficPolicy: 'Far', trafficDistribution: 'Any' }),
  service('traffic close', { ports, internalTrafficPolicy: 'Local', trafficDistribution: 'PreferClose' }),
  service('name starting with a digit', { ports }, { metadata: { name: '1a' } }),
  service('bad name', { ports }, { metadata: { name: 'a.b' } }),

  service('another port', { ports, selector: { a: 'b' } }, { change: { spec: { ports: [{ port: 81, name: 'x' }] } } }),
  service('another address', { ports, clusterIP: '10.0.7.7' }, { change: { spec: { clusterIP: '10.0.7.8', clusterIPs: ['10.0.7.8'] } } }),
  service('address gone', { ports, clusterIP: '10.0.7.7' }, { change: { spec: { clusterIP: 'None', clusterIPs: ['None'] } } }),
  service('becomes external', { ports }, { change: { spec: { type: 'ExternalName', externalName: 'x.y' } } }),
  service('becomes a node port', { ports }, { change: { spec: { type: 'NodePort' } } }),
  service('no node port any more', { ports, type: 'NodePort' }, { change: { spec: { type: 'ClusterIP' } } }),
  service('no balancer any more', { ...balancer, loadBalancerClass: 'a/b' }, { change: { spec: { type: 'ClusterIP' } } }),
  service('another class', { ...balancer, loadBalancerClass: 'a/b' }, { change: { spec: { loadBalancerClass: 'a/c' } } }),
  service('another health port', { ...balancer, externalTrafficPolicy: 'Local' }, { change: { spec: { healthCheckNodePort: 31999 } } }),
  service('balancer status', balancer, {
    change: {
      status: {
        loadBalancer: {
          ingress: [
            { ip: '1.2.3.4' },
            { hostname: 'a.b', ipMode: 'VIP' },
            { ip: 'x', ipMode: 'Far', hostname: '1.2.3.4' },
            { hostname: 'A_' },
          ],
        },
      },
    },
    subresource: 'status',
  }),
  service(
    'balancer status elsewhere',
    { ports },
    { change: { status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } } }, subresource: 'status' },
  ),
  service(
    'status with conditions',
    { ports },
    {
      change: {
        spec: { ports: [{ port: 1 }] },
        status: { conditions: [{ type: 'a', status: 'True', reason: 'b', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
      },
      subresource: 'status',
    },
  ),
];
