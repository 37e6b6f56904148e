import type { ClusterConfig } from '../config.ts';
import { kubeletClientFile, proxyClientFile } from '../pki/cluster-pki.ts';
import { ensureKubeconfig, renderKubeconfig } from '../pki/kubeconfig.ts';
import { kubeconfigPath } from '../supervisor/processes.ts';

/** The proxies of all hosts are one user. */
export const proxyIdentity = { commonName: 'system:kube-proxy', organizations: ['system:node-proxier'] } as const;
export const nodeIdentity = (nodeName: string): { readonly commonName: string; readonly organizations: readonly string[] } => ({
  commonName: `system:node:${nodeName}`,
  organizations: ['system:nodes'],
});

/** Writes the kubeconfig of a process whose certificate lies in a file of `pki/`. Resolves with its path. */
export function writeNodeKubeconfig(config: ClusterConfig, authority: string, name: 'kubelet' | 'proxy'): string {
  const [user, file] =
    name === 'kubelet' ? [nodeIdentity(config.nodeName).commonName, kubeletClientFile] : [proxyIdentity.commonName, proxyClientFile];
  const path = kubeconfigPath(config, name);
  ensureKubeconfig(path, renderKubeconfig({ servers: config.servers, authority, user, credential: { file: `../pki/${file}` } }));
  return path;
}
