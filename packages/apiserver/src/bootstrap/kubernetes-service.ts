import { isDeepStrictEqual } from 'node:util';
import { endpointSlice, endpoints, service, type Endpoints, type EndpointSlice, type Service } from '@skiff/api';
import { type Clock, type Logger, supervise } from '@skiff/component-base';
import type { ObjectAccess, ServerMembers } from '../contract.ts';
import { ensureObject } from './ensure.ts';
import { firstServiceAddress, isIpv6, type SystemObjectsConfig } from './system-objects.ts';

/** Where an apiserver is reached. */
export interface ServerAddress {
  readonly ip: string;
  readonly port: number;
}

const serviceLabels = { component: 'apiserver', provider: 'kubernetes' };
const skipMirror = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
const serviceName = { 'kubernetes.io/service-name': 'kubernetes' };
const name = 'kubernetes';
const namespace = 'default';
/** How long a dead apiserver stays among the endpoints. */
const ttlSeconds = 10;
/** What someone else changed or deleted is put right after this time. Looks at caches only. */
const checkMs = 10_000;

type Members = readonly ServerAddress[];

/** Grouped by port, in order: every apiserver makes the same of the same members. */
function byPort(members: Members): readonly [number, readonly string[]][] {
  const groups = new Map<number, Set<string>>();
  for (const { ip, port } of members) groups.set(port, (groups.get(port) ?? new Set()).add(ip));
  return [...groups].sort(([a], [b]) => a - b).map(([port, ips]) => [port, [...ips].toSorted()]);
}
const httpsPort = (port: number): { name: string; port: number; protocol: string } => ({ name: 'https', port, protocol: 'TCP' });

/** Subsets of the Endpoints `default/kubernetes`. */
export const renderSubsets = (members: Members): NonNullable<Endpoints['subsets']> =>
  byPort(members).map(([port, ips]) => ({ addresses: ips.map((ip) => ({ ip })), ports: [httpsPort(port)] }));

/** A slice for each port and family; the first is named as upstream's only one. */
export function renderSlices(members: Members): readonly EndpointSlice[] {
  const slices = byPort(members).flatMap(([port, ips]) =>
    (['IPv4', 'IPv6'] as const).flatMap((addressType) => {
      const own = ips.filter((ip) => isIpv6(ip) === (addressType === 'IPv6'));
      if (own.length === 0) return [];
      return [{ addressType, endpoints: own.map((ip) => ({ addresses: [ip], conditions: { ready: true } })), ports: [httpsPort(port)] }];
    }),
  );
  return slices.map((slice, i) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: i === 0 ? name : `${name}-${i + 1}`, namespace, labels: { ...serviceName } },
    ...slice,
  }));
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null)) as unknown;

/** `alone`: with others, the port of one is as good as that of another. */
async function ensureService(objects: ObjectAccess, config: SystemObjectsConfig, alone: boolean): Promise<void> {
  const clusterIP = firstServiceAddress(config.serviceClusterIpRanges[0] ?? '');
  const ports = [{ name: 'https', port: 443, protocol: 'TCP', targetPort: config.securePort }];
  const wanted: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, labels: { ...serviceLabels } },
    spec: {
      clusterIP,
      ipFamilies: [isIpv6(clusterIP) ? 'IPv6' : 'IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: structuredClone(ports),
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
  };
  await ensureObject<Service>(objects, service, wanted, (draft) => {
    const current = draft.spec?.ports?.[0];
    const isRight = current?.port === 443 && draft.spec?.ports?.length === 1 && (!alone || current.targetPort === config.securePort);
    if (draft.spec === undefined || isRight) return false;
    draft.spec.ports = structuredClone(ports);
    return true;
  });
}

async function ensureEndpoints(objects: ObjectAccess, members: Members): Promise<void> {
  const subsets = renderSubsets(members);
  await ensureObject<Endpoints>(
    objects,
    endpoints,
    { apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace, labels: skipMirror }, subsets: structuredClone(subsets) },
    (draft) => {
      if (isDeepStrictEqual(plain(draft.subsets), subsets)) return false;
      draft.subsets = structuredClone(subsets);
      return true;
    },
  );
}

/** A slice of another address type can't be changed, and one too many is of no use: both are deleted. */
async function ensureSlices(objects: ObjectAccess, members: Members): Promise<void> {
  const wanted = renderSlices(members);
  const ours = objects
    .list<EndpointSlice>(endpointSlice, namespace)
    .filter((s) => /^kubernetes(-\d+)?$/.test(s.metadata?.name ?? '') && s.metadata?.labels?.['kubernetes.io/service-name'] === name);
  for (const slice of ours) {
    const same = wanted.find((w) => w.metadata?.name === slice.metadata?.name);
    if (same?.addressType !== slice.addressType) await objects.delete(endpointSlice, namespace, slice.metadata?.name ?? '');
  }
  for (const slice of wanted) {
    await ensureObject<EndpointSlice>(objects, endpointSlice, structuredClone(slice), (draft) => {
      const now = draft.endpoints?.map((e) => ({ addresses: e.addresses, conditions: { ready: e.conditions?.ready } }));
      if (isDeepStrictEqual(plain({ endpoints: now, ports: draft.ports }), { endpoints: slice.endpoints, ports: slice.ports }))
        return false;
      Object.assign(draft, structuredClone({ endpoints: slice.endpoints, ports: slice.ports }));
      return true;
    });
  }
}

/** The Service `default/kubernetes` and, behind it, every apiserver that lives. The one that asks lives, whatever the members say. */
export async function ensureKubernetesService(objects: ObjectAccess, config: SystemObjectsConfig, others: Members): Promise<void> {
  const members = [...others, { ip: config.advertiseAddress, port: config.securePort }];
  await ensureService(objects, config, others.length === 0);
  await Promise.all([ensureEndpoints(objects, members), ensureSlices(objects, members)]);
}

/**
 * Says that this apiserver lives and keeps the endpoints those of all that do. Each apiserver holds a key of its own, which goes with it, and all of them
 * write what follows from the keys: nobody overwrites another's entry, and a dead one disappears. Keys are seen through the watch cache, and holding
 * one writes nothing (docs/decisions/control-plane.md). When `signal` aborts the key goes at once, so that the others take this one out
 * while it still answers; the last one leaves the endpoints as they are.
 */
export async function runKubernetesService(
  config: SystemObjectsConfig,
  deps: { objects: ObjectAccess; members: ServerMembers; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { objects, members, clock, log } = deps;
  const self = { ip: config.advertiseAddress, port: config.securePort };
  let changed = (): void => undefined;
  using _ = members.subscribe(() => changed());
  signal.addEventListener('abort', () => changed(), { once: true });
  const reconcile = async (s: AbortSignal): Promise<void> => {
    while (!s.aborted) {
      const next = new Promise<void>((resolve) => {
        changed = resolve;
      });
      await ensureKubernetesService(objects, config, members.list());
      if (s.aborted) return;
      using _timer = clock.after(checkMs, () => changed());
      await next;
    }
  };
  await Promise.all([
    members.join(self, { ttlSeconds, signal }),
    supervise('kubernetes-service', reconcile, { signal, clock, log, backoff: { initialMs: 500, maxMs: 10_000, jitter: 0.5 } }),
  ]);
}
