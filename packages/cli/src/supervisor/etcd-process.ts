import { join } from 'node:path';
import type { ClusterConfig } from '../config.ts';
import { findProgram } from '../host/requirements.ts';
import type { KeptData } from './kept-data.ts';

const flag = (name: string, value: string | number): string => `--${name}=${value}`;

export const listOf = (text: string): readonly string[] =>
  text
    .split(',')
    .map((s) => s.trim())
    .filter((s) => s !== '');

/** etcd is not Skiff's: `--etcd-servers` was given. */
export const isExternalEtcd = (config: Pick<ClusterConfig, 'etcdServers'>): boolean => config.etcdServers !== '';

/** What a client of etcd needs; undefined: plain text. */
export function etcdTlsFiles(config: ClusterConfig): { readonly ca?: string; readonly cert?: string; readonly key?: string } {
  if (!isExternalEtcd(config)) {
    const pki = (name: string): string => join(config.rootDir, 'pki/etcd', name);
    return { ca: pki('ca.crt'), cert: pki('client.crt'), key: pki('client.key') };
  }
  return {
    ...(config.etcdCaFile === '' ? {} : { ca: config.etcdCaFile }),
    ...(config.etcdCertFile === '' ? {} : { cert: config.etcdCertFile }),
    ...(config.etcdKeyFile === '' ? {} : { key: config.etcdKeyFile }),
  };
}

/** URLs for an apiserver: this host's member first, the others for when it is away. */
export const etcdServersOf = (config: ClusterConfig): readonly string[] =>
  isExternalEtcd(config) ? listOf(config.etcdServers) : [`https://127.0.0.1:${config.etcdClientPort}`, ...config.etcdPeers];

/** Flags of an apiserver for its etcd. */
export function etcdClientFlags(config: ClusterConfig): readonly string[] {
  const { ca, cert, key } = etcdTlsFiles(config);
  return [
    flag('etcd-servers', etcdServersOf(config).join(',')),
    ...(ca === undefined ? [] : [flag('etcd-cafile', ca)]),
    ...(cert === undefined ? [] : [flag('etcd-certfile', cert)]),
    ...(key === undefined ? [] : [flag('etcd-keyfile', key)]),
  ];
}

/** What this host's member has on disk. By its log etcd knows that it is not new. */
export function etcdData(config: Pick<ClusterConfig, 'rootDir' | 'etcdExposed' | 'nodeName'>): KeptData {
  const { rootDir } = config;
  const folder = join(rootDir, 'etcd/member/wal');
  const marker = join(rootDir, 'etcd-was-here');
  return {
    folder,
    suffix: '.wal',
    marker,
    lost:
      `the data of etcd is gone (${folder}), and an empty one would end all workloads. ` +
      (config.etcdExposed
        ? `If other hosts of the control plane still run: \`skiff members remove ${config.nodeName}\` on one of them, \`skiff down --wipe\` here, ` +
          'then join again (skiff token create --control-plane, there). Only if none of them has its data: `skiff restore --force` on one host brings a backup back'
        : `\`skiff restore\` brings a backup back; \`skiff down --wipe\` and \`skiff up\` begin anew; without ${marker} etcd starts empty`),
  };
}

/**
 * This host's member. A control plane of one machine keeps it on loopback, so that the machine's address may change; once others are to join
 * (`etcdExposed`) peers and clients reach it at the node's address, with certificates on both sides.
 */
export function etcdProcess(config: ClusterConfig): {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly stopSeconds: number;
  readonly data: KeptData;
} {
  const pki = (name: string): string => join(config.rootDir, 'pki/etcd', name);
  const local = `https://127.0.0.1:${config.etcdClientPort}`;
  const exposed = `https://${config.nodeAddress}:${config.etcdClientPort}`;
  const peer = config.etcdExposed ? `https://${config.nodeAddress}:${config.etcdPeerPort}` : `http://127.0.0.1:${config.etcdPeerPort}`;
  const name = config.etcdName === '' ? config.nodeName : config.etcdName;
  return {
    name: 'etcd',
    command: findProgram('etcd') ?? 'etcd',
    args: [
      flag('name', name),
      flag('data-dir', join(config.rootDir, 'etcd')),
      flag('listen-client-urls', config.etcdExposed ? `${local},${exposed}` : local),
      flag('advertise-client-urls', config.etcdExposed ? exposed : local),
      flag('listen-peer-urls', peer),
      flag('initial-advertise-peer-urls', peer),
      // Both are read at the first start only.
      flag('initial-cluster', config.etcdInitialCluster === '' ? `${name}=${peer}` : config.etcdInitialCluster),
      flag('initial-cluster-state', config.etcdInitialCluster === '' ? 'new' : 'existing'),
      flag('cert-file', pki('server.crt')),
      flag('key-file', pki('server.key')),
      flag('trusted-ca-file', pki('ca.crt')),
      '--client-cert-auth=true',
      ...(config.etcdExposed
        ? [
            flag('peer-cert-file', pki('peer.crt')),
            flag('peer-key-file', pki('peer.key')),
            flag('peer-trusted-ca-file', pki('ca.crt')),
            '--peer-client-cert-auth=true',
          ]
        : []),
      // A member that comes back from being cut off must not depose the leader that the others have; not the default before etcd 3.5.
      '--pre-vote=true',
      '--logger=zap',
      '--log-level=warn',
      '--max-request-bytes=3145728',
      '--quota-backend-bytes=4294967296',
    ],
    stopSeconds: 15,
    data: etcdData(config),
  };
}
