import type { NodeAllocatableConfig } from './node-allocatable.ts';
import type { EvictionConfig } from '../eviction/eviction-manager.ts';
import type { ShutdownGrace } from '../shutdown/shutdown-plan.ts';
import type { ImageGarbageConfig } from '../images/image-gc.ts';
import type { ProviderConfig } from '../images/providers/provider-config.ts';
import type { StaticPodSettings } from '../static-pods/static-pods.ts';
import type { VerificationPolicy } from '../images/verification-policy.ts';

/** What the kubelet is assembled with; made of flags. */
export interface KubeletConfig extends StaticPodSettings {
  readonly nodeName: string;
  /** Primary first. */
  readonly nodeAddresses: readonly string[];
  readonly port: number;
  readonly instance: string;
  /** Absolute and without symbolic links. */
  readonly rootDirectory: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly resolvConf: string;
  /** Instead of the Node object's, unless empty. */
  readonly podCidrs: readonly string[];
  readonly clusterCidrs: readonly string[];
  readonly vxlan: { readonly vni: number; readonly port: number };
  readonly nonMasqueradeCidrs: readonly string[];
  readonly cgroupRoot: string;
  readonly maxPods: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly { readonly key: string; readonly value: string; readonly effect: string }[];
  readonly seccompDefault: boolean;
  readonly maxParallelPulls: number;
  readonly imageVerification: VerificationPolicy;
  readonly credentialProviders: { readonly providers: readonly ProviderConfig[]; readonly binDirectory: string };
  /** Need not be there. */
  readonly registryMirrorsFile: string;
  readonly maxParallelStarts: number;
  readonly checkIntervalMs: number;
  readonly reportIntervalMs: number;
  readonly leaseDurationSeconds: number;
  readonly podLogsDirectory: string;
  readonly containerLogsDirectory: string;
  readonly eviction: EvictionConfig;
  readonly imageGarbage: Omit<ImageGarbageConfig, 'file'>;
  readonly maxContainerRestartMs: number;
  /** Names, or patterns that end in `*`. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** -1: no limit. */
  readonly podMaxPids: number;
  readonly nodeAllocatable: NodeAllocatableConfig;
  readonly limitedSwap: boolean;
  /** undefined: as the cgroup version has it. */
  readonly singleProcessOomKill: boolean | undefined;
  readonly devicePluginDirectory: string;
  readonly shutdownGraces: readonly ShutdownGrace[];
  /** What the node keeps for itself, resource → amount. */
}
