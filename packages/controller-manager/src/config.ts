import type { AutoscalerConfig } from './horizontal-pod-autoscaler/reconcile-autoscaler.ts';
import type { EvictionRates } from './node-lifecycle/zones.ts';

/** What the controllers need to know of the cluster. Certificates and keys are PEM. */
export interface ControllerManagerConfig {
  readonly clusterCidrs: readonly string[];
  readonly nodeCidrMaskSizeIpv4: number;
  readonly nodeCidrMaskSizeIpv6: number;
  readonly allocateNodeCidrs: boolean;
  readonly serviceClusterIpRanges: readonly string[];
  /** Addresses for Services of type LoadBalancer: CIDRs and ranges; empty: the nodes' own. */
  readonly loadBalancerCidrs: readonly string[];
  /** What pods get as kube-root-ca.crt. */
  readonly rootCa?: string;
  /** PEM; signs tokens that lie in Secrets. */
  readonly serviceAccountKey?: string;
  readonly clusterSigning?: { readonly certificate: string; readonly key: string };
  /** Longest life of a signed certificate, milliseconds. */
  readonly clusterSigningDurationMs: number;
  readonly nodeMonitorPeriodMs: number;
  readonly nodeMonitorGracePeriodMs: number;
  /** The same for a node that has not reported anything yet. */
  readonly nodeStartupGracePeriodMs: number;
  readonly evictionRates: EvictionRates;
  /** Nodes that were silent for so long are deleted; 0: none. */
  readonly nodeRemovalAfterMs: number;
  readonly terminatedPodGcThreshold: number;
  readonly horizontalPodAutoscaler: AutoscalerConfig;
  /** Tokens in Secrets that were not used for so long are marked as invalid, and deleted after as long again. */
  readonly legacyTokenCleanUpPeriodMs: number;
  readonly leaderElection: {
    /** Whether this process runs only as long as it holds the lease. */
    readonly elected: boolean;
    readonly lease: { readonly namespace: string; readonly name: string };
  };
}
export const defaultConfig: ControllerManagerConfig = {
  clusterCidrs: [],
  nodeCidrMaskSizeIpv4: 24,
  nodeCidrMaskSizeIpv6: 64,
  allocateNodeCidrs: true,
  serviceClusterIpRanges: [],
  loadBalancerCidrs: [],
  clusterSigningDurationMs: 365 * 24 * 3_600_000,
  nodeMonitorPeriodMs: 5_000,
  nodeMonitorGracePeriodMs: 50_000,
  nodeStartupGracePeriodMs: 60_000,
  evictionRates: {
    nodeEvictionRate: 0.1,
    secondaryNodeEvictionRate: 0.01,
    largeClusterSizeThreshold: 50,
    unhealthyZoneThreshold: 0.55,
  },
  nodeRemovalAfterMs: 0,
  terminatedPodGcThreshold: 12_500,
  horizontalPodAutoscaler: {
    syncPeriodMs: 15_000,
    downscaleStabilizationMs: 300_000,
    tolerance: 0.1,
    cpuInitializationPeriodMs: 300_000,
    initialReadinessDelayMs: 30_000,
  },
  legacyTokenCleanUpPeriodMs: 365 * 24 * 3_600_000,
  leaderElection: { elected: false, lease: { namespace: 'kube-system', name: 'kube-controller-manager' } },
};
