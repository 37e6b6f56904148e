import type { Json, JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

const ingress = one('ingress');
const ingressClass = one('ingressClass');
const policy = one('networkPolicy');
const address = one('ipAddress');
const range = one('serviceCIDR');

const backend: JsonObject = { service: { name: 'a', port: { number: 80 } } };
const rule = (...paths: Json[]): JsonObject => ({ rules: [{ http: { paths } }] });
const at = (path: string, pathType: string | undefined = 'Prefix', more: JsonObject = backend): JsonObject => ({
  path,
  ...(pathType === undefined ? {} : { pathType }),
  backend: more,
});
const host = (name: string): JsonObject => ({ host: name, http: { paths: [at('/')] } });
const classified = (value: string): JsonObject => ({ metadata: { annotations: { 'kubernetes.io/ingress.class': value } } });
const peers = (...from: Json[]): JsonObject => ({ spec: { podSelector: {}, ingress: [{ from }] } });
const ports = (...list: Json[]): JsonObject => ({ spec: { podSelector: {}, egress: [{ ports: list }] } });
const parameters = (more: JsonObject): JsonObject => ({ spec: { controller: 'a.b/c', parameters: { kind: 'K', name: 'n', ...more } } });

export const networkCases: readonly GoldenCase[] = [
  ingress('plain', { spec: { defaultBackend: backend } }),
  ingress('nothing', { spec: {} }),
  ingress('hosts', { spec: { rules: ['a.b', '*.a.b', 'a.*', 'A_', '1.2.3.4'].map(host) } }),
  ingress('no paths', { spec: rule() }),
  ingress('paths', {
    spec: rule(
      at('a'),
      at('/a//b/./c/../d%2f/..'),
      at('', 'Exact'),
      at('x', 'ImplementationSpecific'),
      at('', 'ImplementationSpecific'),
      at('/', 'Odd'),
      at('/', undefined, {}),
    ),
  }),
  ingress('backends', {
    spec: rule(
      ...[
        {},
        { service: { name: '' } },
        { service: { name: 'A_', port: { name: 'a', number: 1 } } },
        { service: { name: 'a', port: { name: '--' } } },
        { service: { name: '1a', port: { number: 70000 } } },
        { ...backend, resource: { kind: 'K', name: 'n' } },
        { resource: { apiGroup: 'A_', kind: '', name: '' } },
        { resource: { kind: 'a/b', name: 'c%' } },
      ].map((b) => at('/', 'Prefix', b)),
    ),
  }),
  ingress('tls', { spec: { defaultBackend: backend, tls: [{ hosts: ['a.b', '*.a.b', '*', 'A_'], secretName: 'A_' }, {}] } }),
  ingress('class', { spec: { defaultBackend: backend, ingressClassName: 'A_' } }),
  ingress('class annotation', { ...classified('a'), spec: { defaultBackend: backend } }),
  ingress('two classes', { ...classified('a'), spec: { defaultBackend: backend, ingressClassName: 'b' } }),
  ingress('update', { spec: { defaultBackend: backend } }, { change: { spec: { tls: [{ secretName: 'A_' }] } } }),
  ingress(
    'status',
    { spec: { defaultBackend: backend } },
    {
      change: { status: { loadBalancer: { ingress: [{ ip: 'x' }, { hostname: '1.2.3.4' }, { hostname: 'A_' }, { ip: '1.2.3.4' }] } } },
      subresource: 'status',
    },
  ),
  ingress(
    'good status',
    { spec: { defaultBackend: backend } },
    { change: { status: { loadBalancer: { ingress: [{ ip: '2001:DB8::1' }] } } }, subresource: 'status' },
  ),

  ingressClass('plain', parameters({})),
  ingressClass('nothing', { spec: {} }),
  ingressClass('controller', { spec: { controller: `a/${'b'.repeat(250)}` } }),
  ingressClass('no path', { spec: { controller: 'a.b' } }),
  ingressClass('parameters', parameters({ apiGroup: 'A_', kind: '', name: 'a/b', scope: 'Odd' })),
  ingressClass('namespace missing', parameters({ scope: 'Namespace' })),
  ingressClass('namespace', parameters({ scope: 'Namespace', namespace: 'A_' })),
  ingressClass('namespace of cluster', parameters({ scope: 'Cluster', namespace: 'a' })),
  ingressClass('other controller', parameters({}), { change: { spec: { controller: 'a.b/d' } } }),

  policy('plain', { spec: { podSelector: {} } }),
  policy('both ways', { spec: { podSelector: { matchLabels: { a: 'b' } }, egress: [{ to: [{ podSelector: {} }] }] } }),
  policy('selector', { spec: { podSelector: { matchLabels: { 'a b': 'c' } } } }),
  policy(
    'peers',
    peers(
      {},
      { podSelector: { matchLabels: { a: 'b c' } }, namespaceSelector: { matchLabels: { 'a b': '' } } },
      { podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } },
    ),
  ),
  policy(
    'blocks',
    peers(
      { ipBlock: { cidr: '' } },
      { ipBlock: { cidr: 'x' } },
      { ipBlock: { cidr: '10.0.0.1/8' } },
      { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', '10.0.0.0/8', '11.0.0.0/16', 'y', 'fd00::/64'] } },
    ),
  ),
  policy('odd blocks', peers({ ipBlock: { cidr: '2001:DB8::/32', except: ['2001:db8:0::/48'] } })),
  policy(
    'ports',
    ports(
      { port: 0 },
      { port: 80, endPort: 79 },
      { port: 80, endPort: 70000 },
      { port: 'http', endPort: 80 },
      { port: '--' },
      { endPort: 80 },
      { protocol: 'X' },
    ),
  ),
  policy('types', { spec: { podSelector: {}, policyTypes: ['Ingress', 'Sideways'] } }),
  policy('many types', { spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress', 'Ingress'] } }),
  policy(
    'update',
    { spec: { podSelector: {} } },
    { change: { spec: { policyTypes: ['Egress'], podSelector: { matchLabels: { a: 'b c' } } } } },
  ),

  address('plain', { metadata: { name: '10.99.0.1' }, spec: { parentRef: { resource: 'services', namespace: 'a', name: 'b' } } }),
  address('name', { metadata: { name: '010.0.0.1' }, spec: {} }),
  address('v6 name', { metadata: { name: '2001:DB8::1' }, spec: { parentRef: {} } }),
  address('parent', {
    metadata: { name: '10.99.0.1' },
    spec: { parentRef: { group: 'A_', resource: 'a/b', namespace: 'c/d', name: '%' } },
  }),
  address(
    'other parent',
    { metadata: { name: '10.99.0.1' }, spec: { parentRef: { resource: 'services', namespace: 'a', name: 'b' } } },
    { change: { spec: { parentRef: { name: 'c' } } } },
  ),

  range('plain', { spec: { cidrs: ['10.99.0.0/24'] } }),
  range('nothing', { spec: {} }),
  range('wrong', { spec: { cidrs: ['10.99.0.1/24', '010.0.0.0/8'] } }),
  range('three', { spec: { cidrs: ['10.99.0.0/24', 'fd00::/64', '10.98.0.0/24'] } }),
  range('other', { spec: { cidrs: ['10.99.0.0/24'] } }, { change: { spec: { cidrs: ['10.98.0.0/24'] } } }),
  range('second', { spec: { cidrs: ['10.99.0.0/24'] } }, { change: { spec: { cidrs: ['10.99.0.0/24', 'fd00::/64'] } } }),
  range(
    'second of the same family',
    { spec: { cidrs: ['10.99.0.0/24'] } },
    { change: { spec: { cidrs: ['10.99.0.0/24', '10.98.0.0/24'] } } },
  ),
];
