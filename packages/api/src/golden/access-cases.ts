import type { JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';
import { pem } from './pem.ts';

const role = one('role');
const clusterRole = one('clusterRole');
const roleBinding = one('roleBinding');
const clusterRoleBinding = one('clusterRoleBinding');
const csr = one('certificateSigningRequest');

const rules: JsonObject[] = [
  { verbs: [], apiGroups: [''], resources: ['pods'] },
  { verbs: ['get'] },
  { verbs: ['get'], nonResourceURLs: ['/x'], resources: ['pods'] },
  { verbs: ['get'], nonResourceURLs: ['/x'] },
];
const group = 'rbac.authorization.k8s.io';
const subjects: JsonObject[] = [
  { kind: 'User', name: '' },
  { kind: 'User', name: 'a', apiGroup: 'x' },
  { kind: 'Group', name: 'a' },
  { kind: 'ServiceAccount', name: 'A b', apiGroup: 'x' },
  { kind: 'Robot', name: 'a' },
];
const usages = ['digital signature', 'client auth'];
const request = (spec: JsonObject = {}): JsonObject => ({ spec: { request: pem.ecdsa, signerName: 'example.com/x', usages, ...spec } });
const condition = (type: string, more: JsonObject = {}): JsonObject => ({ type, status: 'True', ...more });

export const accessCases: readonly GoldenCase[] = [
  role('plain', { metadata: { name: 'a:b' }, rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] }),
  role('bad rules', { rules }),
  role('bad name', { metadata: { name: 'a/b' } }),
  clusterRole('bad rules', { rules }),
  clusterRole('aggregated', { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] } }),
  clusterRole('aggregated from nothing', { aggregationRule: {} }),
  clusterRole('aggregated wrongly', {
    aggregationRule: { clusterRoleSelectors: [{ matchExpressions: [{ key: 'a b', operator: 'Exists' }] }] },
  }),
  roleBinding('plain', { roleRef: { kind: 'Role', name: 'a' }, subjects: [{ kind: 'User', name: 'a' }] }),
  roleBinding('bad', { roleRef: { apiGroup: 'x', kind: 'Y', name: '' }, subjects }),
  roleBinding('bad role name', { roleRef: { kind: 'Role', name: 'a/b' } }),
  roleBinding('other role', { roleRef: { kind: 'Role', name: 'a' } }, { change: { roleRef: { name: 'b' } } }),
  roleBinding(
    'other subjects',
    { roleRef: { kind: 'Role', name: 'a' } },
    { change: { subjects: [{ kind: 'User', name: 'x', apiGroup: group }] } },
  ),
  clusterRoleBinding('bad', { roleRef: { kind: 'Role', name: 'a%' }, subjects: [...subjects, { kind: 'ServiceAccount', name: 'x' }] }),
  clusterRoleBinding('other role', { roleRef: { kind: 'ClusterRole', name: 'a' } }, { change: { roleRef: { name: 'b' } } }),

  csr('plain', request()),
  csr('rsa', request({ request: pem.rsa, expirationSeconds: 3600, username: 'me', groups: ['x'] })),
  csr('ed25519', request({ request: pem.ed25519 })),
  csr('forged', request({ request: pem.forged })),
  csr('no request', request({ request: pem.certificate })),
  csr('usages', request({ usages: ['client auth', 'walk', 'client auth'] })),
  csr('no usages', request({ usages: [] })),
  csr('no signer', request({ signerName: '' })),
  csr('signer without path', request({ signerName: 'example.com' })),
  csr('signer without domain', request({ signerName: 'Example/A_b' })),
  csr('legacy signer', request({ signerName: 'kubernetes.io/legacy-unknown' })),
  csr('expires at once', request({ expirationSeconds: 1 })),
  csr('any name', { ...request(), metadata: { name: 'a:b' } }),
  csr('update', request(), { change: { spec: { usages: ['any'] }, status: { conditions: [condition('Approved')] } } }),
  csr('approved', request(), { change: { status: { conditions: [condition('Approved', { reason: 'x' })] } }, subresource: 'approval' }),
  csr('approved and denied', request(), {
    change: { status: { conditions: [condition('Approved'), condition('Denied')] } },
    subresource: 'approval',
  }),
  csr('approved with a certificate', request(), {
    change: {
      spec: { usages: ['any'] },
      status: {
        certificate: pem.certificate,
        conditions: [condition('Approved', { status: 'False' }), condition(''), condition('Denied', { status: '' })],
      },
    },
    subresource: 'approval',
  }),
  csr('issued', request(), { change: { status: { certificate: pem.certificate } }, subresource: 'status' }),
  csr('issued wrongly', request(), { change: { status: { certificate: pem.key } }, subresource: 'status' }),
  csr('issued nothing', request(), { change: { status: { certificate: 'eA==' } }, subresource: 'status' }),
  csr('approved in status', request(), { change: { status: { conditions: [condition('Approved')] } }, subresource: 'status' }),
  csr('failed', request(), {
    change: { status: { conditions: [condition('Failed'), condition('Mine', { status: 'Perhaps' }), condition('Failed')] } },
    subresource: 'status',
  }),
];
