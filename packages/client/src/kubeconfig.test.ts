import { describe, expect, it } from 'vitest';
import { loadInClusterConfig, parseKubeconfig } from './kubeconfig.ts';

const document = (user: string, cluster = ''): string => `
apiVersion: v1
kind: Config
current-context: main
contexts: [{name: main, context: {cluster: c, user: u, namespace: work}}]
clusters:
- name: c
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority: pki/ca.crt
${cluster}
users:
- name: u
  user: ${user}
`;

describe('parseKubeconfig', () => {
  it('reads files relative to its directory, and inline data', () => {
    const config = parseKubeconfig(document(`{client-certificate-data: ${Buffer.from('CERT').toString('base64')}, client-key: /keys/k}`), {
      directory: '/etc/skiff',
    });
    expect(config).toEqual({
      servers: ['https://10.0.0.1:6443'],
      certificateAuthority: { file: '/etc/skiff/pki/ca.crt' },
      clientCertificate: { pem: 'CERT' },
      clientKey: { file: '/keys/k' },
      namespace: 'work',
    });
  });
  it('takes further servers from the cluster extension', () => {
    const extension = '    extensions: [{name: skiff.io/servers, extension: {servers: ["https://10.0.0.2:6443"]}}]';
    expect(parseKubeconfig(document('{token: t}', extension), { directory: '/' }).servers).toEqual([
      'https://10.0.0.1:6443',
      'https://10.0.0.2:6443',
    ]);
  });
  it.each([
    ['{exec: {command: x}}', 'user field "exec" is not supported'],
    ['{username: x}', 'user field "username" is not supported'],
  ])('refuses %s', (user, message) => {
    expect(() => parseKubeconfig(document(user), { directory: '/' })).toThrow(message);
  });
  it('names what is missing', () => {
    expect(() => parseKubeconfig('{}', { directory: '/' })).toThrow('no current-context');
    expect(() => parseKubeconfig(document('{}'), { directory: '/', context: 'other' })).toThrow('no entry "other" in contexts');
  });
});

describe('loadInClusterConfig', () => {
  it('builds the address from the environment', () => {
    expect(loadInClusterConfig({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }).servers).toEqual([
      'https://[fd00::1]:443',
    ]);
    expect(() => loadInClusterConfig({})).toThrow('not a pod');
  });
});
