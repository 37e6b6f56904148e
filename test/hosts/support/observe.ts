import { endpointSlice, node as nodeResource, pod as podResource, type Pod } from '@skiff/api';
import { eventually } from '../../e2e/support/cluster.ts';
import type { Host } from '../../lab/host.ts';
import type { HostsCluster } from './cluster.ts';

/** A figure of a story, where whoever runs the tests sees it. */
export const figure = (what: string, value: string): void => console.log(`  figure: ${what}: ${value}`);
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

export async function podsOf(cluster: HostsCluster, app: string): Promise<readonly Pod[]> {
  return (await cluster.client.list(podResource, 'default', { labelSelector: `app=${app}` })).items;
}

export const uids = (pods: readonly Pod[]): readonly string[] => pods.map((p) => p.metadata?.uid ?? '').sort();

export const isReady = (pod: Pod): boolean =>
  pod.metadata?.deletionTimestamp === undefined && pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;

export const describePod = ({ metadata, spec, status }: Pod): string => {
  const ready = status?.conditions?.find((c) => c.type === 'Ready');
  const deleted = metadata?.deletionTimestamp === undefined ? '' : ', being deleted';
  const containers = JSON.stringify(
    (status?.containerStatuses ?? []).map((c) => ({ ready: c.ready, restarts: c.restartCount, ...c.state })),
  );
  return `${metadata?.name} on ${spec?.nodeName}${deleted}: Ready ${ready?.status} ${ready?.message ?? ''}${containers}`;
};

/** The app's pods, once there are so many, all of them ready. The error tells how they are. */
export const readyPods = (cluster: HostsCluster, app: string, count: number): Promise<readonly Pod[]> =>
  eventually(
    `${count} pods of ${app} are ready`,
    async () => {
      const pods = await podsOf(cluster, app);
      if (pods.length === count && pods.every(isReady)) return pods;
      throw new Error(`there are ${pods.length}: ${pods.map(describePod).join('; ')}`);
    },
    120_000,
  );

/** `rollout status` of a workload that is named like its app. The error tells how its pods are. */
export async function untilRolledOut(cluster: HostsCluster, workload: string): Promise<void> {
  const done = await cluster.tryKubectl(`rollout status ${workload} --timeout=150s`, { timeoutMs: 160_000 });
  if (done.code === 0) return;
  const pods = await podsOf(cluster, workload.split('/')[1] ?? '');
  throw new Error(`${workload}: ${done.stdout}${done.stderr}${pods.map(describePod).join('; ')}`);
}

/** Addresses that the app's EndpointSlices offer for new connections on a host. */
export async function readyEndpoints(cluster: HostsCluster, app: string, host: Host): Promise<readonly string[]> {
  const { items } = await cluster.client.list(endpointSlice, 'default', { labelSelector: `kubernetes.io/service-name=${app}` });
  return items
    .flatMap((slice) => slice.endpoints ?? [])
    .filter((e) => e.nodeName === host.name && e.conditions?.ready !== false)
    .flatMap((e) => e.addresses ?? []);
}

export async function nodeReady(cluster: HostsCluster, host: Host): Promise<boolean> {
  const { status } = await cluster.client.get(nodeResource, { name: host.name });
  return status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
}

/** Resolves with the ms until `check` holds. */
export async function timed(what: string, check: () => Promise<boolean>, timeoutMs = 120_000): Promise<number> {
  const started = performance.now();
  await eventually(what, check, timeoutMs);
  return performance.now() - started;
}

/** Running containers of pods of the app on a host's engine, whatever the API says: names of pods. */
export async function runningPods(host: Host, app: string): Promise<readonly string[]> {
  const listed = await host.docker.listContainers({ filters: { name: [`k8s_main_${app}`] } });
  return listed.map((c) => (c.Names[0] ?? '').split('_')[2] ?? '');
}
