import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isIssuedBy, readCertificate, readCertificateFile, writeCertificateFile } from '@skiff/component-base';
import type { CertificateRequest, KeyAndCertificate } from './certificates.ts';
import { ensureKubeconfig, renderKubeconfig, writeFile, type KubeconfigCredential } from './kubeconfig.ts';

const authorityDays = 3650;
/** Issuing needs a library that takes a while to load; most runs only look at what is there. */
const issuing = (): Promise<typeof import('./certificates.ts')> => import('./certificates.ts');
/** A leaf with less of its life left is made anew: by the next `up`, and while the cluster runs by its supervisor. */
const renewBelowShare = 0.3;
/** Kubelet and proxy renew their own before that; one that is this close to its end has been off for long. */
const rescueBelowShare = 0.05;

/** Files in `pki/` with key and certificate in one, read again by their processes: the first three are renewed by these as well. */
export const kubeletClientFile = 'kubelet-client.pem';
export const kubeletServingFile = 'kubelet-serving.pem';
export const proxyClientFile = 'proxy-client.pem';
const controllerManagerFile = 'controller-manager.pem';
const schedulerFile = 'scheduler.pem';

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
  /** How long certificates last, milliseconds. */
  readonly lifetimeMs: number;
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

type LeafRequest = Omit<CertificateRequest, 'lifetimeMs'>;

/** What all leaves of one run share. */
interface Issuance {
  readonly nowMs: number;
  readonly lifetimeMs: number;
}

const subjectOf = (request: LeafRequest): string =>
  [...(request.organizations ?? []).map((o) => `O=${o}`), `CN=${request.commonName}`].join('\n');

/**
 * Whether a certificate is one of this authority's (which may be new), says what is asked for and lasts. One that ends with its authority would
 * not last longer made anew.
 */
function isGood(pem: string, request: LeafRequest, o: Issuance & { authority: KeyAndCertificate; belowShare: number }): boolean {
  if (!isIssuedBy(pem, o.authority.certificate)) return false;
  const facts = readCertificate(pem);
  const wanted = [...(request.dnsNames ?? []), ...(request.addresses ?? [])];
  const lasts =
    facts.notAfterMs - o.nowMs > o.lifetimeMs * o.belowShare || facts.notAfterMs >= readCertificate(o.authority.certificate).notAfterMs;
  return facts.subject === subjectOf(request) && lasts && wanted.every((n) => facts.names.includes(n));
}

async function ensureLeaf(base: string, authority: KeyAndCertificate, request: LeafRequest, o: Issuance): Promise<KeyAndCertificate> {
  if (existsSync(`${base}.crt`) && existsSync(`${base}.key`)) {
    const pair = readPair(base);
    if (isGood(pair.certificate, request, { ...o, authority, belowShare: renewBelowShare })) return pair;
  }
  const pair = await (await issuing()).issueCertificate(authority, { ...request, lifetimeMs: o.lifetimeMs }, o.nowMs);
  writePair(base, pair);
  return pair;
}

/** As `ensureLeaf`, for a file with key and certificate. */
async function ensureCertificateFile(
  file: string,
  authority: KeyAndCertificate,
  request: LeafRequest,
  o: Issuance & { belowShare: number },
): Promise<void> {
  const found = readCertificateFile(file);
  if (found !== undefined && isGood(found.pem, request, { ...o, authority })) return;
  const pair = await (await issuing()).issueCertificate(authority, { ...request, lifetimeMs: o.lifetimeMs }, o.nowMs);
  writeCertificateFile(file, pair.key + pair.certificate);
}

/** What a node's kubelet begins with; it renews both itself. */
const kubeletLeaves = (o: Pick<PkiRequest, 'nodeName' | 'nodeAddresses'>): readonly (readonly [string, LeafRequest])[] => {
  const identity = { commonName: `system:node:${o.nodeName}`, organizations: ['system:nodes'] };
  return [
    [kubeletServingFile, { ...identity, usages: ['server'], dnsNames: [o.nodeName], addresses: o.nodeAddresses }],
    [kubeletClientFile, { ...identity, usages: ['client'] }],
  ];
};

/** The same for a further node on a host of the control plane: `pki/` and `kubeconfig/` in its own folder, from the cluster's authority. */
export async function ensureNodePki(o: {
  readonly authorityDir: string;
  readonly rootDir: string;
  readonly nodeName: string;
  readonly nodeAddress: string;
  readonly server: string;
  readonly lifetimeMs: number;
  readonly nowMs: number;
}): Promise<void> {
  const ca = readPair(join(o.authorityDir, 'pki/ca'));
  for (const [name, request] of kubeletLeaves({ nodeName: o.nodeName, nodeAddresses: [o.nodeAddress] })) {
    await ensureCertificateFile(join(o.rootDir, 'pki', name), ca, request, { ...o, belowShare: rescueBelowShare });
  }
  const credential = { file: `../pki/${kubeletClientFile}` };
  const text = renderKubeconfig({ servers: [o.server], authority: ca.certificate, user: `system:node:${o.nodeName}`, credential });
  ensureKubeconfig(join(o.rootDir, 'kubeconfig/kubelet.conf'), text);
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
  const leaf = (name: string, authority: KeyAndCertificate, request: LeafRequest): Promise<KeyAndCertificate> =>
    ensureLeaf(join(pki, name), authority, request, o);
  const client = (commonName: string, ...organizations: string[]): LeafRequest => ({
    commonName,
    organizations,
    usages: ['client'],
  });
  const loopback = ['127.0.0.1', '::1'];
  const etcdMember: LeafRequest = {
    commonName: 'etcd',
    usages: ['server', 'client'],
    dnsNames: ['localhost', 'etcd'],
    addresses: [...new Set([...loopback, ...o.nodeAddresses])],
  };
  const file = (name: string, request: LeafRequest, belowShare: number): Promise<void> =>
    ensureCertificateFile(join(pki, name), ca, request, { ...o, belowShare });
  const [admin] = await Promise.all([
    leaf('admin', ca, client('kubernetes-admin', 'system:masters')),
    file(controllerManagerFile, client('system:kube-controller-manager'), renewBelowShare),
    file(schedulerFile, client('system:kube-scheduler'), renewBelowShare),
    leaf('apiserver', ca, {
      commonName: 'kube-apiserver',
      usages: ['server'],
      dnsNames: o.apiserverNames,
      addresses: o.apiserverAddresses,
    }),
    leaf('apiserver-kubelet-client', ca, client('kube-apiserver-kubelet-client', 'system:masters')),
    leaf('front-proxy-client', frontProxyCa, client('front-proxy-client')),
    leaf('etcd/server', etcdCa, etcdMember),
    leaf('etcd/peer', etcdCa, etcdMember),
    // An apiserver reads it when it starts. Its authority's key lies beside it: a shorter life would protect nothing.
    ensureLeaf(join(pki, 'etcd/client'), etcdCa, client('kube-apiserver-etcd-client'), { ...o, lifetimeMs: authorityDays * 86_400_000 }),
    ...kubeletLeaves(o).map(([name, request]) => file(name, request, rescueBelowShare)),
    file(proxyClientFile, client('system:kube-proxy', 'system:node-proxier'), rescueBelowShare),
  ]);
  if (!existsSync(join(pki, 'sa.key'))) {
    const { generateKey, publicKeyOf } = await issuing();
    const key = generateKey();
    writeFile(join(pki, 'sa.pub'), publicKeyOf(key), 0o644);
    writeFile(join(pki, 'sa.key'), key, 0o600);
  }
  const kubeconfigs: readonly [string, string, KubeconfigCredential][] = [
    ['admin', 'kubernetes-admin', { pair: admin }],
    ['controller-manager', 'system:kube-controller-manager', { file: `../pki/${controllerManagerFile}` }],
    ['scheduler', 'system:kube-scheduler', { file: `../pki/${schedulerFile}` }],
    ['kubelet', `system:node:${o.nodeName}`, { file: `../pki/${kubeletClientFile}` }],
    ['proxy', 'system:kube-proxy', { file: `../pki/${proxyClientFile}` }],
  ];
  for (const [name, user, credential] of kubeconfigs) {
    const text = renderKubeconfig({ servers: [o.server], authority: ca.certificate, user, credential });
    ensureKubeconfig(join(o.rootDir, 'kubeconfig', `${name}.conf`), text);
  }
  return { adminKubeconfig: join(o.rootDir, 'kubeconfig', 'admin.conf') };
}
