import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCertificate, readCertificateFile, writeCertificateFile } from '@skiff/component-base';
import type { CertificateRequest, KeyAndCertificate } from './certificates.ts';
import { ensureKubeconfig, renderKubeconfig, writeFile, type KubeconfigCredential } from './kubeconfig.ts';

const authorityDays = 3650;
const leafDays = 365;
/** Issuing needs a library that takes a while to load; most runs only look at what is there. */
const issuing = (): Promise<typeof import('./certificates.ts')> => import('./certificates.ts');
/** A leaf with less left than this is made anew by the next `up`. */
const renewBelowMs = 90 * 86_400_000;

/** Files in `pki/` that the processes of a host renew themselves: key and certificate in one. */
export const kubeletClientFile = 'kubelet-client.pem';
export const kubeletServingFile = 'kubelet-serving.pem';
export const proxyClientFile = 'proxy-client.pem';

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

/** A first certificate for what renews its own later: a file with key and certificate. */
async function ensureCertificateFile(
  file: string,
  authority: KeyAndCertificate,
  request: Omit<CertificateRequest, 'days'>,
  nowMs: number,
): Promise<void> {
  const wanted = [...(request.dnsNames ?? []), ...(request.addresses ?? [])];
  const found = readCertificateFile(file);
  const subject = [...(request.organizations ?? []).map((o) => `O=${o}`), `CN=${request.commonName}`].join('\n');
  if (found?.subject === subject && found.notAfterMs - nowMs > renewBelowMs && wanted.every((n) => found.names.includes(n))) return;
  const pair = await (await issuing()).issueCertificate(authority, { ...request, days: leafDays }, nowMs);
  writeCertificateFile(file, pair.key + pair.certificate);
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
  const own = (name: string, request: Omit<CertificateRequest, 'days'>): Promise<void> =>
    ensureCertificateFile(join(pki, name), ca, request, o.nowMs);
  const [admin, controllerManager, scheduler] = await Promise.all([
    leaf('admin', ca, client('kubernetes-admin', 'system:masters')),
    leaf('controller-manager', ca, client('system:kube-controller-manager')),
    leaf('scheduler', ca, client('system:kube-scheduler')),
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
    own(kubeletServingFile, {
      commonName: `system:node:${o.nodeName}`,
      organizations: ['system:nodes'],
      usages: ['server'],
      dnsNames: [o.nodeName],
      addresses: o.nodeAddresses,
    }),
    own(kubeletClientFile, client(`system:node:${o.nodeName}`, 'system:nodes')),
    own(proxyClientFile, client('system:kube-proxy', 'system:node-proxier')),
  ]);
  if (!existsSync(join(pki, 'sa.key'))) {
    const { generateKey, publicKeyOf } = await issuing();
    const key = generateKey();
    writeFile(join(pki, 'sa.pub'), publicKeyOf(key), 0o644);
    writeFile(join(pki, 'sa.key'), key, 0o600);
  }
  const kubeconfigs: readonly [string, string, KubeconfigCredential][] = [
    ['admin', 'kubernetes-admin', { pair: admin }],
    ['controller-manager', 'system:kube-controller-manager', { pair: controllerManager }],
    ['scheduler', 'system:kube-scheduler', { pair: scheduler }],
    ['kubelet', `system:node:${o.nodeName}`, { file: `../pki/${kubeletClientFile}` }],
    ['proxy', 'system:kube-proxy', { file: `../pki/${proxyClientFile}` }],
  ];
  for (const [name, user, credential] of kubeconfigs) {
    const text = renderKubeconfig({ servers: [o.server], authority: ca.certificate, user, credential });
    ensureKubeconfig(join(o.rootDir, 'kubeconfig', `${name}.conf`), text);
  }
  return { adminKubeconfig: join(o.rootDir, 'kubeconfig', 'admin.conf') };
}
