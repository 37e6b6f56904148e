import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ClusterConfig } from '../config.ts';
import { renderKubeconfig } from '../pki/kubeconfig.ts';
import { type ApiAccess, hostAccess, messageOf, persistentRequest } from './api-request.ts';
import { renderSettings, settingsMap } from './cluster-settings.ts';

export const clusterInfo = { namespace: 'kube-public', name: 'cluster-info' } as const;
/** Signatures of cluster-info, by token; the controller-manager keeps them. */
export const signaturePrefix = 'jws-kubeconfig-';

/** The URL under which other hosts reach this control plane. */
export const advertisedServer = (config: ClusterConfig): string => `https://${config.nodeAddress}:${config.securePort}`;

interface MapObject {
  metadata: { namespace: string; name: string; resourceVersion?: string };
  data: Record<string, string>;
}

async function ensureMap(
  access: ApiAccess,
  key: { namespace: string; name: string },
  adjust: (data: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
): Promise<void> {
  const collection = `/api/v1/namespaces/${key.namespace}/configmaps`;
  for (let tries = 0; ; tries++) {
    const found = await persistentRequest(access, { path: `${collection}/${key.name}` });
    if (found.code !== 200 && found.code !== 404) throw new Error(`${key.namespace}/${key.name}: ${messageOf(found)}`);
    const current = found.code === 200 ? (JSON.parse(found.body) as Partial<MapObject>) : undefined;
    const data = { ...adjust(current?.data ?? {}) };
    if (current !== undefined && isDeepStrictEqual(current.data ?? {}, data)) return;
    const written =
      current === undefined
        ? await persistentRequest(access, {
            method: 'POST',
            path: collection,
            body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: key, data },
          })
        : await persistentRequest(access, { method: 'PUT', path: `${collection}/${key.name}`, body: { ...current, data } });
    if (written.code < 300) return;
    // Somebody else was faster: look again.
    if (written.code !== 409 || tries > 5) throw new Error(`${key.namespace}/${key.name}: ${messageOf(written)}`);
  }
}

/**
 * Writes what a host needs to know to join: how to reach the apiserver and whom to trust (kube-public/cluster-info, as kubeadm
 * writes it), and the cluster's settings (kube-system/skiff-config). Throws when the API does not answer for half a minute.
 */
export async function publishCluster(config: ClusterConfig): Promise<void> {
  const access = hostAccess(config);
  const kubeconfig = renderKubeconfig({
    servers: [advertisedServer(config)],
    authority: readFileSync(join(config.rootDir, 'pki/ca.crt'), 'utf8'),
    user: '',
    credential: { anonymous: true },
  });
  await Promise.all([
    ensureMap(access, settingsMap, () => renderSettings(config)),
    ensureMap(access, clusterInfo, (data) => ({ ...data, kubeconfig })),
  ]);
}
