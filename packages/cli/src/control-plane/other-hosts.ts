import { apiRequest, type ApiAccess, hostAccess, messageOf } from '../cluster/api-request.ts';
import type { ClusterConfig } from '../config.ts';
import { UserError } from '../user-error.ts';

/** The administrator's access through the other hosts of the control plane. Throws UserError when there are none. */
export async function accessOfOthers(config: ClusterConfig): Promise<ApiAccess> {
  const own = hostAccess(config);
  const answer = await apiRequest(own, { path: '/api/v1/namespaces/default/endpoints/kubernetes' });
  if (answer.code !== 200) throw new UserError(`The hosts of the control plane can't be read: ${messageOf(answer)}`, 'refused');
  const { subsets = [] } = JSON.parse(answer.body) as { subsets?: { addresses?: { ip: string }[]; ports?: { port: number }[] }[] };
  const servers = subsets.flatMap((s) =>
    (s.addresses ?? []).filter((a) => a.ip !== config.nodeAddress).map((a) => `https://${a.ip}:${s.ports?.[0]?.port ?? config.securePort}`),
  );
  if (servers.length === 0)
    throw new UserError('This host is the whole control plane, so it can’t leave; `skiff down --wipe` ends the cluster.', 'usage');
  return { ...own, servers };
}
