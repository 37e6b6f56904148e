import { existsSync, readFileSync } from 'node:fs';
import type { EtcdCluster } from '@skiff/storage';
import type { ClusterConfig } from '../config.ts';
import { etcdTlsFiles, isExternalEtcd, listOf } from '../supervisor/etcd-process.ts';
import { UserError } from '../user-error.ts';

/** Why something did not work, in a line. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The etcd of this cluster; `endpoints`: other than those this host would use. The caller closes it. Throws UserError when its certificates are absent. */
export async function openEtcd(config: ClusterConfig, endpoints?: readonly string[]): Promise<EtcdCluster> {
  // Loaded here: most commands need no etcd.
  const { createEtcdCluster } = await import('@skiff/storage');
  const files = etcdTlsFiles(config);
  const missing = Object.values(files).find((f) => f !== undefined && !existsSync(f));
  if (missing !== undefined) throw new UserError(`${missing} is absent: this host has no access to etcd.`, 'usage');
  const own = isExternalEtcd(config) ? listOf(config.etcdServers) : [`https://127.0.0.1:${config.etcdClientPort}`];
  const tls =
    files.ca === undefined
      ? undefined
      : {
          ca: readFileSync(files.ca),
          ...(files.cert === undefined || files.key === undefined ? {} : { cert: readFileSync(files.cert), key: readFileSync(files.key) }),
        };
  return createEtcdCluster({ endpoints: endpoints ?? own, ...(tls === undefined ? {} : { tls }), callTimeoutMs: 5_000 });
}

export const ownPeerUrl = (config: ClusterConfig): string => `https://${config.nodeAddress}:${config.etcdPeerPort}`;

const settleTimeoutMs = 30_000;
const settlePollMs = 250;

/** etcd changes its members only while all have been connected for five seconds; just after a change it refuses the next. Tries until then. */
export async function whenSettled<T>(change: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + settleTimeoutMs;
  for (;;) {
    try {
      return await change();
    } catch (error) {
      if (!reasonOf(error).includes('unhealthy cluster') || Date.now() > deadline) throw error;
    }
    await new Promise((r) => setTimeout(r, settlePollMs));
  }
}
