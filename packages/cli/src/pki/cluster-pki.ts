import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readCertificate } from './certificate-facts.ts';
import type { CertificateRequest, KeyAndCertificate } from './certificates.ts';

const authorityDays = 3650;
const leafDays = 365;
/** Issuing needs a library that takes a while to load; most runs only look at what is there. */
const issuing = (): Promise<typeof import('./certificates.ts')> => import('./certificates.ts');
/** A leaf with less left than this is made anew by the next `up`. */
const renewBelowMs = 90 * 86_400_000;

export interface PkiRequest {
  /** Folder that gets `pki/` and `kubeconfig/`. */
  readonly rootDir: string;
  readonly nodeName: string;
  /** Every name and address under which the apiserver may be called. */
  readonly apiserverNames: readonly string[];
  readonly apiserverAddresses: readonly string[];
  readonly nodeAddresses: readonly string[];
  /** `https://127.0.0.1:6443`: what kubeconfigs on this host say. */
  readonly server: string;
  readonly nowMs: number;
}

function writeFile(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const temporary = `${path}.new`;
  writeFileSync(temporary, text, { mode });
  renameSync(temporary, path);
}

/** Writes `<base>.key` (0600) and `<base>.crt`. */
function writePair(base: string, pair: KeyAndCertificate): void {
  writeFile(`${base}.key`, pair.key, 0o600);
  writeFile(`${base}.crt`, pair.certificate, 0o644);
}

const readPair = (base: string): KeyAndCertificate => ({
  key: readFileSync(`${base}.key`, 'utf8'),
  certificate: readFileSync(`${base}.crt`, 'utf8'),
});

async function ensureAuthority(base: string, commonName: string, nowMs: number): Promise<KeyAndCertificate> {
  if (existsSync(`${base}.crt`) && existsSync(`${base}.key`)) return readPair(base);
  const authority = await (await issuing()).createAuthority(commonName, authorityDays, nowMs);
  writePair(base, authority);
  return authority;
}

async function ensureLeaf(
  base: string,
  authority: KeyAndCertificate,
  request: Omit<CertificateRequest, 'days'>,
  nowMs: number,
): Promise<KeyAndCertificate> {
  if (existsSync(`${base}.crt`) && existsSync(`${base}.key`)) {
    const pair = readPair(base);
    const facts = readCertificate(pair.certificate);
    const wanted = [...(request.dnsNames ?? []), ...(request.addresses ?? [])];
    if (facts.notAfterMs - nowMs > renewBelowMs && wanted.every((n) => facts.names.includes(n))) return pair;
  }
  const pair = await (await issuing()).issueCertificate(authority, { ...request, days: leafDays }, nowMs);
  writePair(base, pair);
  return pair;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function kubeconfigText(o: { server: string; authority: string; user: string; pair: KeyAndCertificate }): string {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'skiff', cluster: { server: o.server, 'certificate-authority-data': base64(o.authority) } }],
    users: [{ name: o.user, user: { 'client-certificate-data': base64(o.pair.certificate), 'client-key-data': base64(o.pair.key) } }],
    contexts: [{ name: 'skiff', context: { cluster: 'skiff', user: o.user } }],
    'current-context': 'skiff',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/**
 * Makes what is missing or about to expire, keeps the rest: authorities, server and client certificates, the key that signs
 * ServiceAccount tokens, and a kubeconfig for each component. Idempotent. Returns the files it (re)made.
 */
export async function ensureClusterPki(o: PkiRequest): Promise<{ adminKubeconfig: string }> {
  const pki = join(o.rootDir, 'pki');
  const [ca, frontProxyCa, etcdCa] = await Promise.all([
    ensureAuthority(join(pki, 'ca'), 'skiff-ca', o.nowMs),
    ensureAuthority(join(pki, 'front-proxy-ca'), 'skiff-front-proxy-ca', o.nowMs),
    ensureAuthority(join(pki, 'etcd/ca'), 'skiff-etcd-ca', o.nowMs),
  ]);
  const leaf = (name: string, authority: KeyAndCertificate, request: Omit<CertificateRequest, 'days'>): Promise<KeyAndCertificate> =>
    ensureLeaf(join(pki, name), authority, request, o.nowMs);
  const client = (commonName: string, ...organizations: string[]): Omit<CertificateRequest, 'days'> => ({
    commonName,
    organizations,
    usages: ['client'],
  });
  const loopback = ['127.0.0.1', '::1'];
  const [, , , , , , admin, controllerManager, scheduler, kubelet, proxy] = await Promise.all([
    leaf('apiserver', ca, {
      commonName: 'kube-apiserver',
      usages: ['server'],
      dnsNames: o.apiserverNames,
      addresses: o.apiserverAddresses,
    }),
    leaf('apiserver-kubelet-client', ca, client('kube-apiserver-kubelet-client', 'system:masters')),
    leaf('front-proxy-client', frontProxyCa, client('front-proxy-client')),
    leaf('etcd/server', etcdCa, { commonName: 'etcd', usages: ['server', 'client'], dnsNames: ['localhost', 'etcd'], addresses: loopback }),
    leaf('etcd/client', etcdCa, client('kube-apiserver-etcd-client')),
    leaf('kubelet', ca, {
      commonName: `system:node:${o.nodeName}`,
      organizations: ['system:nodes'],
      usages: ['server'],
      dnsNames: [o.nodeName],
      addresses: o.nodeAddresses,
    }),
    leaf('admin', ca, client('kubernetes-admin', 'system:masters')),
    leaf('controller-manager', ca, client('system:kube-controller-manager')),
    leaf('scheduler', ca, client('system:kube-scheduler')),
    leaf('kubelet-client', ca, client(`system:node:${o.nodeName}`, 'system:nodes')),
    leaf('proxy', ca, client('system:kube-proxy')),
  ]);
  if (!existsSync(join(pki, 'sa.key'))) {
    const { generateKey, publicKeyOf } = await issuing();
    const key = generateKey();
    writeFile(join(pki, 'sa.pub'), publicKeyOf(key), 0o644);
    writeFile(join(pki, 'sa.key'), key, 0o600);
  }
  const kubeconfigs: readonly [string, string, KeyAndCertificate][] = [
    ['admin', 'kubernetes-admin', admin],
    ['controller-manager', 'system:kube-controller-manager', controllerManager],
    ['scheduler', 'system:kube-scheduler', scheduler],
    ['kubelet', `system:node:${o.nodeName}`, kubelet],
    ['proxy', 'system:kube-proxy', proxy],
  ];
  for (const [name, user, pair] of kubeconfigs) {
    const path = join(o.rootDir, 'kubeconfig', `${name}.conf`);
    const text = kubeconfigText({ server: o.server, authority: ca.certificate, user, pair });
    if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFile(path, text, 0o600);
  }
  return { adminKubeconfig: join(o.rootDir, 'kubeconfig', 'admin.conf') };
}
