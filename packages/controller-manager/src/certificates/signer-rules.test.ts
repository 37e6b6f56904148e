import { describe, expect, it } from 'vitest';
import type { RequestedIdentity } from './certificate-request.ts';
import { refusal } from './signer-rules.ts';

const node: RequestedIdentity = {
  commonName: 'system:node:a',
  organizations: ['system:nodes'],
  dnsNames: [],
  ipAddresses: [],
  emailAddresses: [],
  uris: [],
};
const client = ['digital signature', 'client auth'];
const server = ['digital signature', 'key encipherment', 'server auth'];

describe('signer rules', () => {
  it.each([
    ['kubernetes.io/kube-apiserver-client-kubelet', node, client, undefined],
    ['kubernetes.io/kube-apiserver-client-kubelet', node, [...client, 'key encipherment'], undefined],
    ['kubernetes.io/kube-apiserver-client-kubelet', node, [...client, 'server auth'], 'usages did not match'],
    ['kubernetes.io/kube-apiserver-client-kubelet', { ...node, organizations: ['system:masters'] }, client, 'organization'],
    ['kubernetes.io/kube-apiserver-client-kubelet', { ...node, organizations: ['system:nodes', 'system:masters'] }, client, 'organization'],
    ['kubernetes.io/kube-apiserver-client-kubelet', { ...node, dnsNames: ['a'] }, client, 'DNS'],
    ['kubernetes.io/kube-apiserver-client-kubelet', { ...node, commonName: 'admin' }, client, 'common name'],
    ['kubernetes.io/kubelet-serving', { ...node, dnsNames: ['a'] }, server, undefined],
    ['kubernetes.io/kubelet-serving', node, server, 'required'],
    ['kubernetes.io/kubelet-serving', { ...node, ipAddresses: ['10.0.0.1'], uris: ['spiffe://x'] }, server, 'URI'],
    ['kubernetes.io/kube-apiserver-client', { ...node, organizations: ['devs'] }, client, undefined],
    ['kubernetes.io/kube-apiserver-client', node, server, 'client auth'],
    ['kubernetes.io/kube-apiserver-client', node, [...client, 'server auth'], 'not allowed'],
  ] as const)('%s %j %j: %s', (signer, identity, usages, expected) => {
    const reason = refusal(signer, identity, usages);
    if (expected === undefined) expect(reason).toBeUndefined();
    else expect(reason).toContain(expected);
  });
});
