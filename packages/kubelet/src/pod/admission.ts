import type { DeepReadonly } from '@skiff/apimachinery';
import { computePodQOSClass, type Node, selectsNode } from '@skiff/api';
import type { ResourceList } from '../env/resource-field-ref.ts';
import { type ContainerSpec, initContainersOf, isCriticalPod, isHostNetwork, isSidecar, type PodSnapshot } from './pod-snapshot.ts';
import { findShortages, type Shortage } from './resource-fit.ts';

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
  /** Nothing but these is in the way. */
  readonly shortages?: readonly Shortage[];
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

/** What the scheduler decided about, looked at again. */
function checkPredicates(pod: PodSnapshot, o: AdmissionInput): Refusal | undefined {
  const failed: Refusal[] = [];
  const predicate = (reason: string, why: string): void => void failed.push({ reason, message: `Predicate ${reason} failed: ${why}` });
  const { name = '', labels = {} } = o.node?.metadata ?? {};
  if (o.node !== undefined && !selectsNode(pod.spec, { name, labels }))
    predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  const wanted = hostPortsOf(pod);
  const taken = o.others.flatMap(hostPortsOf);
  if (wanted.some((p) => taken.some((t) => clash(p, t))))
    predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  const shortages = findShortages(pod, o);
  const [first] = shortages;
  if (first === undefined) return failed[0];
  const figures = `requested: ${first.requested}, used: ${first.used}, capacity: ${first.capacity}`;
  const lacking = { reason: `OutOf${first.resource}`, message: `Node didn't have enough resource: ${first.resource}, ${figures}` };
  // Room can be made for a critical pod; other reasons can't be helped.
  if (isCriticalPod(pod)) return failed[0] ?? { ...lacking, shortages };
  return lacking;
}

/** The node's own last check of what the scheduler (or a user, with nodeName) decided. A refused pod fails for good. */
export function admitPod(pod: PodSnapshot, o: AdmissionInput): Refusal | undefined {
  const short = checkPressure(pod, o.pressures ?? new Set());
  if (short !== undefined) return short;
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
  const failed = checkPredicates(pod, o);
  if (failed !== undefined && failed.shortages === undefined) return failed;
  if ((pod.spec.resourceClaims ?? []).length > 0) {
    return { reason: 'ResourceClaimsNotSupported', message: 'this node has no devices that can be claimed' };
  }
  const profiles = [pod.spec, ...pod.spec.containers, ...initContainersOf(pod)].map((s) => s.securityContext?.appArmorProfile);
  if (!o.appArmorEnabled && profiles.some((p) => p !== undefined && p.type !== 'Unconfined')) {
    return { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };
  }
  return failed;
}
