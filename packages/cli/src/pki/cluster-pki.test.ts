import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isIssuedBy, readCertificateFile } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultConfig } from '../config.ts';
import { createAuthority } from './certificates.ts';
import { ensureClusterPki } from './cluster-pki.ts';

let rootDir: string;
const parts = {
  nodeName: 'node-1',
  apiserverNames: ['kubernetes', 'localhost'],
  apiserverAddresses: ['127.0.0.1', '10.96.0.1'],
  nodeAddresses: ['127.0.0.1'],
  server: 'https://127.0.0.1:6443',
  lifetimeMs: defaultConfig().certificateLifetimeMs,
  nowMs: Date.now(),
};
let request: typeof parts & { rootDir: string };
beforeEach(() => {
  rootDir = mkdtempSync(join(tmpdir(), 'skiff-pki-'));
  request = { ...parts, rootDir };
});
afterEach(() => rmSync(rootDir, { recursive: true }));
const certificate = (name: string): X509Certificate => new X509Certificate(readFileSync(join(rootDir, 'pki', `${name}.crt`)));

describe('ensureClusterPki', () => {
  it('makes certificates that the authority signed, for the asked names and users', async () => {
    const { adminKubeconfig } = await ensureClusterPki(request);
    const ca = certificate('ca');
    expect(ca.ca).toBe(true);
    const apiserver = certificate('apiserver');
    expect(apiserver.verify(ca.publicKey)).toBe(true);
    expect(apiserver.checkIP('10.96.0.1')).toBe('10.96.0.1');
    expect(apiserver.checkHost('kubernetes')).toBe('kubernetes');
    expect(readCertificateFile(join(rootDir, 'pki/kubelet-client.pem'))?.subject).toBe('O=system:nodes\nCN=system:node:node-1');
    expect(certificate('etcd/client').verify(certificate('etcd/ca').publicKey)).toBe(true);
    expect(statSync(join(rootDir, 'pki/ca.key')).mode & 0o777).toBe(0o600);
    const config = JSON.parse(readFileSync(adminKubeconfig, 'utf8')) as { users: { user: Record<string, string> }[] };
    const embedded = new X509Certificate(Buffer.from(config.users[0]?.user['client-certificate-data'] ?? '', 'base64'));
    expect(embedded.subject).toContain('O=system:masters');
  });

  it('keeps what is good and makes anew what expires soon or lacks a name', async () => {
    await ensureClusterPki(request);
    const before = certificate('apiserver').fingerprint256;
    await ensureClusterPki(request);
    expect(certificate('apiserver').fingerprint256).toBe(before);
    await ensureClusterPki({ ...request, apiserverAddresses: [...request.apiserverAddresses, '10.0.0.9'] });
    const renamed = certificate('apiserver').fingerprint256;
    expect(renamed).not.toBe(before);
    const admin = certificate('admin').fingerprint256;
    await ensureClusterPki({ ...request, nowMs: request.nowMs + 300 * 86_400_000 });
    expect(certificate('admin').fingerprint256).not.toBe(admin);
  });

  it('makes all anew with new authorities, and keeps what signs tokens', async () => {
    const read = (name: string): string => readFileSync(join(rootDir, name), 'utf8');
    await ensureClusterPki(request);
    const [tokens, old] = [read('pki/sa.key'), read('pki/ca.crt')];
    for (const name of ['ca', 'front-proxy-ca', 'etcd/ca'])
      for (const kind of ['key', 'crt']) rmSync(join(rootDir, 'pki', `${name}.${kind}`));
    await ensureClusterPki(request);
    expect(read('pki/sa.key')).toBe(tokens);
    const signed: readonly [string, readonly string[]][] = [
      [
        'ca.crt',
        ['apiserver.crt', 'admin.crt', 'apiserver-kubelet-client.crt', 'kubelet-client.pem', 'kubelet-serving.pem', 'proxy-client.pem'],
      ],
      ['ca.crt', ['controller-manager.pem', 'scheduler.pem']],
      ['front-proxy-ca.crt', ['front-proxy-client.crt']],
      ['etcd/ca.crt', ['etcd/server.crt', 'etcd/peer.crt', 'etcd/client.crt']],
    ];
    for (const [ca, leaves] of signed)
      for (const leaf of leaves) expect([leaf, isIssuedBy(read(`pki/${leaf}`), read(`pki/${ca}`))]).toEqual([leaf, true]);
    const fresh = read('pki/ca.crt');
    expect(isIssuedBy(read('pki/apiserver.crt'), old)).toBe(false);
    for (const name of ['admin', 'controller-manager', 'scheduler', 'kubelet', 'proxy'])
      expect(read(`kubeconfig/${name}.conf`)).toContain(Buffer.from(fresh).toString('base64'));
    // While both are trusted, what the former one signed goes on.
    const apiserver = certificate('apiserver').fingerprint256;
    writeFileSync(join(rootDir, 'pki/ca.crt'), old + fresh);
    await ensureClusterPki(request);
    expect(certificate('apiserver').fingerprint256).toBe(apiserver);
  });

  it('makes none that outlives its authority', async () => {
    mkdirSync(join(rootDir, 'pki'));
    const authority = await createAuthority('short', 100, request.nowMs);
    writeFileSync(join(rootDir, 'pki/ca.crt'), authority.certificate);
    writeFileSync(join(rootDir, 'pki/ca.key'), authority.key);
    await ensureClusterPki(request);
    const end = Date.parse(certificate('ca').validTo);
    expect(Date.parse(certificate('apiserver').validTo)).toBe(end);
    expect(readCertificateFile(join(rootDir, 'pki/kubelet-client.pem'))?.notAfterMs).toBe(end);
  });
});
