import type { JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';
import { pem } from './pem.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const node = one('node');
const namespace = one('namespace');
const configMap = one('configMap');
const secret = one('secret');
const serviceAccount = one('serviceAccount');
const endpoints = one('endpoints');

const subsets = [
  {
    addresses: [{ ip: '127.0.0.1', hostname: 'A', nodeName: 'N_' }, { ip: '010.0.0.1' }, { ip: 'x' }],
    notReadyAddresses: [{ ip: '::1' }, { ip: '224.0.0.5' }],
    ports: [{ port: 0 }, { port: 1, name: 'A', protocol: 'X', appProtocol: 'a b' }],
  },
  {},
];
const typed = (type: string, data: JsonObject = {}): JsonObject => ({ type, data });

export const coreCases: readonly GoldenCase[] = [
  node('with status', {
    spec: { podCIDR: '10.1.0.0/24', taints: [{ key: 'a', effect: 'NoSchedule' }] },
    status: { capacity: { cpu: '4', memory: '1Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
  }),
  node('taints', {
    spec: {
      taints: [
        { key: 'a b', value: 'c d', effect: 'Sometimes' },
        { key: '', effect: '' },
        { key: 'a', value: 'b', effect: 'NoSchedule' },
        { key: 'a', value: 'c', effect: 'NoSchedule' },
      ],
    },
  }),
  node('addresses of Pods', { spec: { podCIDRs: ['10.0.0.0/24', '10.1.0.0/24', 'x'] } }),
  node('addresses of Pods of both families', { spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24', 'fd00::/64'] } }),
  node('resources', { status: { capacity: { pods: '1.5' }, allocatable: { memory: '-1' } } }),
  node('old fields', { spec: { externalID: 'x', configSource: { configMap: { name: 'a', namespace: 'b', kubeletConfigKey: 'c' } } } }),
  node('swap', {
    status: {
      nodeInfo: {
        machineID: '',
        systemUUID: '',
        bootID: '',
        kernelVersion: '',
        osImage: '',
        containerRuntimeVersion: '',
        kubeletVersion: '',
        kubeProxyVersion: '',
        operatingSystem: '',
        architecture: '',
        swap: { capacity: 0 },
      },
    },
  }),
  node('bad name', { metadata: { name: 'A_b' } }),
  node('other range', { spec: { podCIDR: '10.0.0.0/24' } }, { change: { spec: { podCIDR: '10.0.1.0/24', podCIDRs: ['10.0.1.0/24'] } } }),
  node(
    'other provider',
    { spec: { providerID: 'a://b' } },
    { change: { spec: { providerID: 'a://c', unschedulable: true, externalID: 'y' } } },
  ),
  node('range and provider at last', {}, { change: { spec: { podCIDR: '10.0.1.0/24', providerID: 'x' }, status: { phase: 'x' } } }),
  node(
    'status',
    {},
    {
      change: {
        spec: { unschedulable: true },
        status: {
          addresses: [
            { type: 'InternalIP', address: '1.2.3.4' },
            { type: 'InternalIP', address: '1.2.3.4' },
          ],
          capacity: { cpu: '-1' },
        },
      },
      subresource: 'status',
    },
  ),

  namespace('plain', {}),
  namespace('with finalizers', { spec: { finalizers: ['example.com/x'] }, metadata: { labels: { a: 'b' } } }),
  namespace('bad finalizers', { spec: { finalizers: ['nonstandard', 'a b/c'] } }),
  namespace('bad name', { metadata: { name: 'a.b' } }),
  namespace(
    'labels',
    {},
    {
      change: {
        metadata: { labels: { 'kubernetes.io/metadata.name': 'other' } },
        spec: { finalizers: ['a/b'] },
        status: { phase: 'Terminating' },
      },
    },
  ),
  namespace('wrong phase', {}, { change: { status: { phase: 'Terminating' } }, subresource: 'status' }),
  namespace(
    'status',
    {},
    {
      change: { status: { phase: 'Active', conditions: [{ type: 'a', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }] } },
      subresource: 'status',
    },
  ),

  configMap('plain', { data: { a: 'b' }, binaryData: { c: 'ZA==' } }),
  configMap('bad key', { data: { 'a b': 'c' } }),
  configMap('bad keys', { data: { '..': 'c' }, binaryData: { '': '' } }),
  configMap('key twice', { data: { a: 'b' }, binaryData: { a: 'ZA==' } }),
  configMap('too large', { data: { a: 'x'.repeat(1024 * 1024 + 1) } }),
  configMap('frozen', { data: { a: 'b' }, immutable: true }, { change: { data: { a: 'c' }, binaryData: { d: 'ZA==' }, immutable: false } }),
  configMap('freezes', { data: { a: 'b' } }, { change: { immutable: true, data: { c: 'd' } } }),
  configMap('bad name', { metadata: { name: 'A' } }),

  secret('plain', { stringData: { a: 'b' }, data: { a: 'ZA==', c: 'ZA==' } }),
  secret('bad key', { data: { 'a/b': 'ZA==' } }),
  secret('token', typed('kubernetes.io/service-account-token')),
  secret('docker', typed('kubernetes.io/dockercfg')),
  secret('docker no json', typed('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': base64('[]') })),
  secret('docker json', typed('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': base64('{"auths":{}}') })),
  secret('login', typed('kubernetes.io/basic-auth')),
  secret('login name', typed('kubernetes.io/basic-auth', { username: '' })),
  secret('ssh', typed('kubernetes.io/ssh-auth')),
  secret('tls', typed('kubernetes.io/tls')),
  secret('tls pair', typed('kubernetes.io/tls', { 'tls.crt': pem.certificate, 'tls.key': pem.key })),
  secret('tls other key', typed('kubernetes.io/tls', { 'tls.crt': pem.certificate, 'tls.key': pem.otherKey })),
  secret('tls mixed up', typed('kubernetes.io/tls', { 'tls.crt': pem.key, 'tls.key': pem.certificate })),
  secret('tls both certificates', typed('kubernetes.io/tls', { 'tls.crt': pem.certificate, 'tls.key': pem.certificate })),
  secret('tls nothing', typed('kubernetes.io/tls', { 'tls.crt': '', 'tls.key': '' })),
  secret('other type', { type: 'a' }, { change: { type: 'b' } }),
  secret('frozen', { data: { a: 'ZA==' }, immutable: true }, { change: { data: { a: 'ZQ==' }, immutable: null } }),

  serviceAccount('plain', { secrets: [{ name: 'a', namespace: 'b', kind: 'c' }], imagePullSecrets: [{ name: 'x' }] }),
  serviceAccount('bad name', { metadata: { name: 'A' } }),
  serviceAccount('old annotation', { metadata: { annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } } }),

  endpoints('plain', { subsets: [{ addresses: [{ ip: '1.2.3.4' }, { ip: '2001:DB8::1' }], ports: [{ port: 80 }] }] }),
  endpoints('bad subsets', { subsets }),
  endpoints('update', { subsets: [{ addresses: [{ ip: '1.2.3.4' }] }] }, { change: { subsets: [{ addresses: [{ ip: '0.0.0.0' }] }] } }),
];
