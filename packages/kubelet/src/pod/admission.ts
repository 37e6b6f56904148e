import { type DeepReadonly, quantityMilliValue } from '@skiff/apimachinery';
import { computePodQOSClass, type Node, selectsNode } from '@skiff/api';
import type { ResourceList } from '../env/resource-field-ref.ts';
import { type ContainerSpec, initContainersOf, isCriticalPod, isHostNetwork, isSidecar, type PodSnapshot } from './pod-snapshot.ts';

export interface AdmissionInput {
  /** Other pods of the node that are not over. */
  readonly others: readonly PodSnapshot[];
  readonly allocatable: ResourceList;
  readonly node: DeepReadonly<Node> | undefined;
  readonly appArmorEnabled: boolean;
  /** Pressures of the node; absent: none. */
  readonly pressures?: ReadonlySet<string>;
  /** Beside the safe ones; names, or patterns that end in `*`. */
  readonly allowedUnsafeSysctls?: readonly string[];
}

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

interface HostPort {
  readonly ip: string;
  readonly port: number;
  readonly protocol: string;
}

function hostPortsOf(pod: PodSnapshot): HostPort[] {
  return [...pod.spec.containers, ...initContainersOf(pod).filter(isSidecar)].flatMap((c: ContainerSpec) =>
    (c.ports ?? []).flatMap((p) => {
      const port = p.hostPort ?? (isHostNetwork(pod) ? p.containerPort : 0);
      return port === 0
        ? []
        : [{ ip: p.hostIP === undefined || p.hostIP === '' ? '0.0.0.0' : p.hostIP, port, protocol: p.protocol ?? 'TCP' }];
    }),
  );
}

const clash = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0');

/** What the scheduler counts: the containers together, or the largest init container with the sidecars before it. Thousandths. */
export function podRequest(pod: PodSnapshot, resource: string): number {
  const of = (c: ContainerSpec): number => {
    const text = c.resources?.requests?.[resource];
    return text === undefined ? 0 : quantityMilliValue(text);
  };
  let sidecars = 0;
  let peak = 0;
  for (const c of initContainersOf(pod)) {
    if (isSidecar(c)) sidecars += of(c);
    else peak = Math.max(peak, sidecars + of(c));
  }
  const own = pod.spec.resources?.requests?.[resource];
  const overhead = pod.spec.overhead?.[resource];
  const total =
    own === undefined ? Math.max(peak, sidecars + pod.spec.containers.reduce((sum, c) => sum + of(c), 0)) : quantityMilliValue(own);
  return total + (overhead === undefined ? 0 : quantityMilliValue(overhead));
}

const shown = (resource: string, milli: number): number => (resource === 'cpu' ? milli : Math.ceil(milli / 1000));

/** Whether resources of a running pod can grow to what its spec asks for by now. */
export function checkFit(
  pod: PodSnapshot,
  o: Pick<AdmissionInput, 'others' | 'allocatable'>,
): { deferred: boolean; message: string } | undefined {
  for (const name of ['cpu', 'memory']) {
    const requested = podRequest(pod, name);
    const capacity = quantityMilliValue(o.allocatable[name] ?? '0');
    if (requested > capacity) {
      return { deferred: false, message: `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${capacity}` };
    }
    const used = o.others.reduce((sum, other) => sum + podRequest(other, name), 0);
    if (used + requested > capacity) {
      return {
        deferred: true,
        message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
      };
    }
  }
  return undefined;
}

function checkResources(pod: PodSnapshot, o: AdmissionInput): Refusal | undefined {
  const maxPods = Number(o.allocatable['pods'] ?? '110');
  if (o.others.length + 1 > maxPods) {
    return {
      reason: 'OutOfpods',
      message: `Node didn't have enough resource: pods, requested: 1, used: ${o.others.length}, capacity: ${maxPods}`,
    };
  }
  const lists = [pod.spec.resources, ...[...pod.spec.containers, ...initContainersOf(pod)].map((c) => c.resources)];
  const names = new Set(lists.flatMap((r) => Object.keys(r?.requests ?? {})));
  for (const name of names) {
    const requested = podRequest(pod, name);
    if (requested === 0) continue;
    const capacity = quantityMilliValue(o.allocatable[name] ?? '0');
    const used = o.others.reduce((sum, other) => sum + podRequest(other, name), 0);
    if (used + requested > capacity) {
      const figures = `requested: ${shown(name, requested)}, used: ${shown(name, used)}, capacity: ${shown(name, capacity)}`;
      return { reason: `OutOf${name}`, message: `Node didn't have enough resource: ${name}, ${figures}` };
    }
  }
  return undefined;
}

/** Those that are the pod's alone and can harm nobody else. Others have to be allowed by the node. */
const safeSysctls: ReadonlySet<string> = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]);

const sysctlAllowed = (name: string, allowed: readonly string[]): boolean =>
  safeSysctls.has(name) ||
  allowed.some((text) => {
    const pattern = text.replaceAll('/', '.');
    return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  });

/** A node that is short of something takes in only what it can't do without. */
function checkPressure(pod: PodSnapshot, pressures: ReadonlySet<string>): Refusal | undefined {
  if (pressures.size === 0 || isCriticalPod(pod)) return undefined;
  if (pressures.size === 1 && pressures.has('MemoryPressure')) {
    if ((pod.status.qosClass ?? computePodQOSClass(pod.spec)) !== 'BestEffort') return undefined;
    const key = 'node.kubernetes.io/memory-pressure';
    const tolerates = (pod.spec.tolerations ?? []).some(
      (t) =>
        (t.key === key || (t.key ?? '') === '') &&
        ['', undefined, 'NoSchedule'].includes(t.effect) &&
        (t.operator === 'Exists' || (t.value ?? '') === ''),
    );
    if (tolerates) return undefined;
  }
  return { reason: 'Evicted', message: `The node had condition: [${[...pressures].join(' ')}]. ` };
}

/** The node's own last check of what the scheduler (or a user, with nodeName) decided. A refused pod fails for good. */
export function admitPod(pod: PodSnapshot, o: AdmissionInput): Refusal | undefined {
  const short = checkPressure(pod, o.pressures ?? new Set());
  if (short !== undefined) return short;
  const wanted = hostPortsOf(pod);
  const taken = o.others.flatMap(hostPortsOf);
  if (wanted.some((p) => taken.some((t) => clash(p, t)))) {
    return { reason: 'NodePorts', message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports" };
  }
  const { name = '', labels = {} } = o.node?.metadata ?? {};
  if (o.node !== undefined && !selectsNode(pod.spec, { name, labels })) {
    return { reason: 'NodeAffinity', message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector" };
  }
  if (pod.spec.os?.name !== undefined && pod.spec.os.name !== 'linux') {
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  }
  if (pod.spec.hostUsers === false) {
    return {
      reason: 'UserNamespacesNotSupported',
      message: 'hostUsers: false can not be carried out: the container runtime has user namespaces only for all containers together',
    };
  }
  if (pod.spec.securityContext?.supplementalGroupsPolicy === 'Strict' && o.node?.status?.features?.supplementalGroupsPolicy !== true) {
    return { reason: 'SupplementalGroupsPolicyNotSupported', message: 'SupplementalGroupsPolicy=Strict is not supported in this node' };
  }
  const unsafe = pod.spec.securityContext?.sysctls?.find((s) => !sysctlAllowed(s.name.replaceAll('/', '.'), o.allowedUnsafeSysctls ?? []));
  if (unsafe !== undefined)
    return { reason: 'SysctlForbidden', message: `forbidden sysctl: ${JSON.stringify(unsafe.name)} not allowlisted` };
  if ((pod.spec.resourceClaims ?? []).length > 0) {
    return { reason: 'ResourceClaimsNotSupported', message: 'this node has no devices that can be claimed' };
  }
  const profiles = [pod.spec.securityContext?.appArmorProfile, ...pod.spec.containers.map((c) => c.securityContext?.appArmorProfile)];
  if (!o.appArmorEnabled && profiles.some((p) => p !== undefined && p.type !== 'Unconfined')) {
    return { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };
  }
  return checkResources(pod, o);
}
