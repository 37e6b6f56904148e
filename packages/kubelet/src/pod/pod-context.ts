import type { Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import type { RuntimeService } from '@skiff/cri';
import type { LimitFacts } from '../cgroups/resources.ts';
import type { PodCgroups } from '../cgroups/pod-cgroups.ts';
import type { LogLinks } from '../container/log-links.ts';
import type { SecurityDefaults } from '../container/security-context.ts';
import type { ResourceList } from '../env/resource-field-ref.ts';
import type { DeviceManager } from '../devices/device-manager.ts';
import type { HostMount } from '../host/host-mount.ts';
import type { BackOff } from '../images/back-off.ts';
import type { ImageManager } from '../images/image-manager.ts';
import type { CredentialLookup } from '../images/puller.ts';
import type { KubeletMetrics } from '../metrics/kubelet-metrics.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import type { ClusterDns, DnsConfig } from '../network/resolv-conf.ts';
import type { PodObjects } from '../objects/pod-objects.ts';
import type { ProbeManager } from '../probe/probe-manager.ts';
import type { StatusManager } from '../status/status-manager.ts';
import type { ServiceAccountTokens } from '../volumes/service-account-tokens.ts';
import type { VolumeManager } from '../volumes/volume-manager.ts';
import type { Refusal } from './admission.ts';
import type { Allocations } from './allocations.ts';
import type { PodSnapshot } from './pod-snapshot.ts';
import type { Shortage } from './resource-fit.ts';

/** Facts of the node that pods need. */
export interface NodeFacts extends LimitFacts {
  readonly name: string;
  readonly addresses: readonly string[];
  allocatable(): ResourceList;
  readonly recursiveReadOnlyMounts: boolean;
  readonly runtimeName: string;
}

export type PodEvent = (pod: PodSnapshot, type: 'Normal' | 'Warning', reason: string, message: string, container?: string) => void;

/** Everything a pod worker works with. */
export interface PodContext {
  readonly rootDirectory: string;
  readonly node: NodeFacts;
  readonly runtime: RuntimeService;
  readonly images: ImageManager;
  readonly network: PodNetwork;
  readonly volumes: VolumeManager;
  readonly tokens: ServiceAccountTokens;
  readonly objects: PodObjects;
  readonly cgroups: PodCgroups;
  readonly hostMount: HostMount;
  readonly logLinks: LogLinks;
  readonly probes: ProbeManager;
  readonly status: StatusManager;
  readonly crashBackOff: BackOff;
  readonly security: SecurityDefaults;
  readonly dns: { readonly cluster: ClusterDns; host(): Promise<DnsConfig> };
  readonly event: PodEvent;
  readonly metrics: KubeletMetrics;
  readonly allocations: Pick<Allocations, 'get' | 'set' | 'forget'>;
  readonly devices: Pick<DeviceManager, 'prepare' | 'release' | 'health'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Services as far as they are known; resolves when they were read once, unless nobody is to `wait` for the API. */
  services(signal: AbortSignal, wait: boolean): Promise<readonly DeepReadonly<Service>[]>;
  /** What the pod can show a registry. */
  pullCredentials(pod: PodSnapshot): CredentialLookup;
  /** The handler of a RuntimeClass. Throws when there is no such class. */
  runtimeHandler(runtimeClassName: string, signal: AbortSignal): Promise<string>;
  /**
   * Resolves when nobody chooses the pod for new connections any more, or when that was waited for long enough. Called before the
   * stop signal of a ready pod; counts against its grace.
   */
  drain(pod: PodSnapshot, o: { readonly graceSeconds: number; readonly ready: boolean; readonly signal: AbortSignal }): Promise<void>;
  /** Why a pod may not run on this node; undefined: it may. With `shortages`, room can be made for it. */
  admit(pod: PodSnapshot): Refusal | undefined;
  /** Ends others in favour of a critical pod. Resolves when they are gone, with why it may not run nevertheless. */
  makeRoom(pod: PodSnapshot, shortages: readonly Shortage[]): Promise<Refusal | undefined>;
  /** Why a pod can't have the resources of its spec: not now (`deferred`), or never on this node. */
  fits(pod: PodSnapshot, granted: PodSnapshot): { readonly deferred: boolean; readonly message: string } | undefined;
  /** Bounds how many pods start at once. */
  readonly startSlots: { take(signal: AbortSignal): Promise<Disposable> };
}
