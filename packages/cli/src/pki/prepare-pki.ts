import { addressIn, type ClusterConfig } from '../config.ts';
import { moreNodes } from '../cluster/more-nodes.ts';
import { ensureClusterPki, ensureNodePki } from './cluster-pki.ts';

/** Makes or renews what this control plane needs of certificates and kubeconfigs; resolves with the administrator's. `extraNames`: of the apiserver. */
export async function preparePki(config: ClusterConfig, extraNames: readonly string[] = []): Promise<string> {
  const server = `https://127.0.0.1:${config.securePort}`;
  const { adminKubeconfig } = await ensureClusterPki({
    rootDir: config.rootDir,
    nodeName: config.nodeName,
    apiserverNames: [
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      `kubernetes.default.svc.${config.clusterDomain}`,
      'localhost',
      config.nodeName,
      ...extraNames,
    ],
    apiserverAddresses: [...new Set(['127.0.0.1', '::1', config.nodeAddress, addressIn(config.serviceCidr, 1)])],
    nodeAddresses: [config.nodeAddress],
    server,
    lifetimeMs: config.certificateLifetimeMs,
    nowMs: Date.now(),
  });
  for (const node of moreNodes(config)) {
    await ensureNodePki({ ...node, authorityDir: config.rootDir, server, lifetimeMs: config.certificateLifetimeMs, nowMs: Date.now() });
  }
  return adminKubeconfig;
}
