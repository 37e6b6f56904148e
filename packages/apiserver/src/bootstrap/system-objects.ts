import { isDeepStrictEqual } from 'node:util';
import {
  configMap,
  namespace,
  priorityClass,
  serviceCIDR,
  storageClass,
  type ConfigMap,
  type Namespace,
  type PriorityClass,
  type ServiceCIDR,
  type StorageClass,
} from '@skiff/api';
import type { ObjectAccess } from '../contract.ts';
import { ensureObject } from './ensure.ts';

export interface SystemObjectsConfig {
  /** How pods reach this apiserver; never a loopback address. */
  readonly advertiseAddress: string;
  readonly securePort: number;
  /** CIDRs, the primary family first. */
  readonly serviceClusterIpRanges: readonly string[];
  readonly clientCaPem: string | undefined;
  readonly requestHeader: { readonly caPem: string | undefined; readonly allowedNames: readonly string[] };
}

const systemNamespaces = ['kube-system', 'default', 'kube-public', 'kube-node-lease'] as const;

const systemPriorityClasses: readonly PriorityClass[] = [
  {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'For system pods that must stay on the node they run on.',
  },
  {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description: 'For system pods that the cluster needs; they may move to another node.',
  },
];

export const isIpv6 = (address: string): boolean => address.includes(':');

/** The first usable address of a CIDR: that of the `kubernetes` Service. */
export function firstServiceAddress(cidr: string): string {
  const network = cidr.split('/')[0] ?? '';
  if (isIpv6(network)) return network.endsWith('::') ? `${network}1` : network;
  const parts = network.split('.');
  return [...parts.slice(0, 3), String(Number(parts[3]) + 1)].join('.');
}

export async function ensureNamespaces(objects: ObjectAccess): Promise<void> {
  await Promise.all(
    systemNamespaces.map((name) =>
      ensureObject<Namespace>(objects, namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
    ),
  );
}

export async function ensurePriorityClasses(objects: ObjectAccess): Promise<void> {
  await Promise.all(systemPriorityClasses.map((c) => ensureObject<PriorityClass>(objects, priorityClass, structuredClone(c))));
}

/** The default class: a claim just works, by a directory on the node of its pod. Who edits it keeps the edit. */
export async function ensureStorageClass(objects: ObjectAccess): Promise<void> {
  await ensureObject<StorageClass>(objects, storageClass, {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'local-path', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: 'local-path.skiff.dev',
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
    allowVolumeExpansion: true,
  });
}

/** What aggregated apiservers and kubelets read to trust the same clients (kube-system/extension-apiserver-authentication). */
export async function ensureAuthenticationConfig(objects: ObjectAccess, config: SystemObjectsConfig): Promise<void> {
  const { requestHeader } = config;
  const data: Record<string, string> = {
    ...(config.clientCaPem === undefined ? {} : { 'client-ca-file': config.clientCaPem }),
    ...(requestHeader.caPem === undefined
      ? {}
      : {
          'requestheader-client-ca-file': requestHeader.caPem,
          'requestheader-allowed-names': JSON.stringify(requestHeader.allowedNames),
          'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
          'requestheader-group-headers': '["X-Remote-Group"]',
          'requestheader-uid-headers': '["X-Remote-Uid"]',
          'requestheader-username-headers': '["X-Remote-User"]',
        }),
  };
  const metadata = { name: 'extension-apiserver-authentication', namespace: 'kube-system' };
  await ensureObject<ConfigMap>(objects, configMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, (draft) => {
    if (isDeepStrictEqual(draft.data, data)) return false;
    draft.data = data;
    return true;
  });
}

export async function ensureServiceCidr(objects: ObjectAccess, config: SystemObjectsConfig): Promise<void> {
  const cidrs = [...config.serviceClusterIpRanges];
  await ensureObject<ServiceCIDR>(objects, serviceCIDR, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs },
  });
}

/**
 * Since when the last use of tokens in Secrets is noted (kube-system/kube-apiserver-legacy-service-account-token-tracking): whoever deletes
 * unused ones must know.
 */
export async function ensureTokenTracking(objects: ObjectAccess, nowMs: number): Promise<void> {
  const metadata = { name: 'kube-apiserver-legacy-service-account-token-tracking', namespace: 'kube-system' };
  const since = new Date(nowMs).toISOString().slice(0, 10);
  await ensureObject<ConfigMap>(objects, configMap, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { since } }, (draft) => {
    if (/^\d{4}-\d\d-\d\d$/.test(draft.data?.['since'] ?? '')) return false;
    draft.data = { ...draft.data, since };
    return true;
  });
}
