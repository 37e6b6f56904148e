import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { PodWorker } from '../pod/pod-worker.ts';
import type { ProbeType } from '../probe/probe-state.ts';
import { kubeletVersion } from '../version.ts';

/** Upstream's buckets, seconds. */
const podStartBuckets = [0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600];
const operationBuckets = [
  0.005, 0.0125, 0.03125, 0.078125, 0.1953125, 0.48828125, 1.220703125, 3.0517578125, 7.62939453125, 19.073486328125,
];
const pullBuckets = [1, 5, 10, 20, 30, 60, 180, 300, 600, 900, 1200, 1800, 2700, 3600];

export interface KubeletMetrics {
  /** One operation of the container runtime. */
  runtimeOperation(name: string, seconds: number, failed: boolean): void;
  /** From the first sight of a pod, and from its creation, until all its containers ran for the first time. */
  podStarted(pod: { readonly creationTimestamp?: string | null }, o: { readonly seenMs: number; readonly nowMs: number }): void;
  syncDuration(seconds: number): void;
  containerStarted(type: string): void;
  containerStartFailed(type: string, reason: string): void;
  /** A container was seen to have ended. */
  containerTerminated(type: string, exitCode: number, reason: string): void;
  sandboxStarted(): void;
  sandboxStartFailed(): void;
  imagePulled(sizeBytes: number, seconds: number): void;
  imagesRemoved(count: number): void;
  evicted(signal: string): void;
  preempted(signal: string): void;
  admissionRejected(reason: string): void;
  orphanFound(): void;
  probe(
    pod: { readonly namespace: string; readonly name: string; readonly uid: string },
    o: {
      readonly container: string;
      readonly type: ProbeType;
      readonly result: 'successful' | 'failed' | 'unknown';
      readonly seconds: number;
    },
  ): void;
  /** Drops what was counted for the probes of a pod that is gone. */
  forgetPod(pod: { readonly namespace: string; readonly name: string; readonly uid: string }): void;
  /** /metrics. */
  render(): Promise<string>;
  /** /metrics/probes. */
  renderProbes(): Promise<string>;
}

const kindOfSize = (bytes: number): string => {
  const mb = 1024 * 1024;
  const [limit] = [10, 100, 500, 1024, 5 * 1024, 10 * 1024, 20 * 1024, 30 * 1024, 40 * 1024, 60 * 1024, 100 * 1024].filter(
    (l) => bytes < l * mb,
  );
  const names: Readonly<Record<number, string>> = {
    10: '0-10MB',
    100: '10MB-100MB',
    500: '100MB-500MB',
    1024: '500MB-1GB',
    5120: '1GB-5GB',
    10240: '5GB-10GB',
  };
  return limit === undefined ? 'GT100GB' : (names[limit] ?? '10GB-100GB');
};

/** The kubelet's own metrics under upstream's names. What is there only when it is asked for is computed then. */
export function createKubeletMetrics(config: { readonly nodeName: string; readonly startedAtMs: number }): KubeletMetrics & {
  /** Gauges that follow the pods. */
  watch(o: { readonly workers: () => readonly PodWorker[]; readonly cgroupVersion: 1 | 2 }): void;
} {
  const main = new Registry();
  const probes = new Registry();
  const registers = [main];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly L[] = [],
  ): Histogram<L> => new Histogram({ name, help, buckets: [...buckets], labelNames: [...labelNames], registers });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };

  const operations = counter('kubelet_runtime_operations_total', 'Operations of the container runtime', ['operation_type']);
  const operationErrors = counter('kubelet_runtime_operations_errors_total', 'Operations of the container runtime that failed', [
    'operation_type',
  ]);
  const operationSeconds = histogram(
    'kubelet_runtime_operations_duration_seconds',
    'Duration of operations of the container runtime',
    operationBuckets,
    ['operation_type'],
  );
  const podStart = histogram(
    'kubelet_pod_start_duration_seconds',
    'From the first sight of a pod until its containers ran',
    podStartBuckets,
  );
  const podStartSli = histogram(
    'kubelet_pod_start_sli_duration_seconds',
    'From the creation of a pod until its containers ran',
    podStartBuckets,
  );
  const workerSeconds = histogram('kubelet_pod_worker_duration_seconds', 'Duration of one sync of a pod', operationBuckets, [
    'operation_type',
  ]);
  const startedContainers = counter('kubelet_started_containers_total', 'Containers that were started', ['container_type']);
  const startedContainerErrors = counter('kubelet_started_containers_errors_total', 'Containers that could not be started', [
    'container_type',
    'code',
  ]);
  const terminatedContainers = counter('kubelet_terminated_containers_total', 'Containers that ended', [
    'container_type',
    'exit_code',
    'reason',
  ]);
  const startedPods = counter('kubelet_started_pods_total', 'Sandboxes that were started');
  const startedPodErrors = counter('kubelet_started_pods_errors_total', 'Sandboxes that could not be started');
  const pulls = histogram('kubelet_image_pull_duration_seconds', 'Duration of image pulls by size', pullBuckets, ['image_size_in_bytes']);
  const removedImages = counter('kubelet_image_garbage_collected_total', 'Images that were removed to free disk space', ['reason']);
  const evictions = counter('kubelet_evictions', 'Pods that were evicted', ['eviction_signal']);
  const preemptions = counter('kubelet_preemptions', 'Pods that were ended in favour of critical ones', ['preemption_signal']);
  const rejections = counter('kubelet_admission_rejections_total', 'Pods that the node refused', ['reason']);
  const orphans = counter('kubelet_orphaned_runtime_pods_total', 'Pods that ran although nobody wanted them any more');
  const probeTotal = new Counter({
    name: 'prober_probe_total',
    help: 'Probes of containers by result',
    labelNames: ['probe_type', 'result', 'container', 'pod', 'namespace', 'pod_uid'],
    registers: [probes],
  });
  const probeSeconds = new Histogram({
    name: 'prober_probe_duration_seconds',
    help: 'Duration of probes',
    labelNames: ['probe_type', 'container', 'pod', 'namespace'],
    buckets: [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10],
    registers: [probes],
  });
  gauge('process_cpu_seconds_total', 'CPU time of the process', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  gauge('process_resident_memory_bytes', 'Resident memory of the process', () => process.memoryUsage.rss());
  gauge('process_start_time_seconds', 'When the process was started', () => config.startedAtMs / 1000);
  new Gauge({ name: 'kubelet_node_name', help: 'Name of the node', labelNames: ['node'], registers }).set({ node: config.nodeName }, 1);
  new Gauge({ name: 'kubernetes_build_info', help: 'Version of the program', labelNames: ['git_version'], registers }).set(
    { git_version: kubeletVersion },
    1,
  );
  const labels = { readiness: 'Readiness', liveness: 'Liveness', startup: 'Startup' } as const;

  return {
    runtimeOperation: (operation_type, seconds, failed) => {
      operations.inc({ operation_type });
      if (failed) operationErrors.inc({ operation_type });
      operationSeconds.observe({ operation_type }, seconds);
    },
    podStarted: ({ creationTimestamp }, { seenMs, nowMs }) => {
      podStart.observe((nowMs - seenMs) / 1000);
      const createdMs = Date.parse(creationTimestamp ?? '') || seenMs;
      podStartSli.observe(Math.max(0, nowMs - createdMs) / 1000);
    },
    syncDuration: (seconds) => workerSeconds.observe({ operation_type: 'sync' }, seconds),
    containerStarted: (container_type) => startedContainers.inc({ container_type }),
    containerStartFailed: (container_type, code) => startedContainerErrors.inc({ container_type, code }),
    containerTerminated: (container_type, code, reason) => terminatedContainers.inc({ container_type, exit_code: String(code), reason }),
    sandboxStarted: () => startedPods.inc(),
    sandboxStartFailed: () => startedPodErrors.inc(),
    imagePulled: (bytes, seconds) => pulls.observe({ image_size_in_bytes: kindOfSize(bytes) }, seconds),
    imagesRemoved: (count) => removedImages.inc({ reason: 'space' }, count),
    preempted: (preemption_signal) => preemptions.inc({ preemption_signal }),
    evicted: (eviction_signal) => evictions.inc({ eviction_signal }),
    admissionRejected: (reason) => rejections.inc({ reason }),
    orphanFound: () => orphans.inc(),
    probe: (p, o) => {
      const probe_type = labels[o.type];
      const common = { probe_type, container: o.container, pod: p.name, namespace: p.namespace };
      probeTotal.inc({ ...common, result: o.result, pod_uid: p.uid });
      probeSeconds.observe(common, o.seconds);
    },
    forgetPod: (p) => {
      // Bounded by the pods that are there.
      for (const metric of [probeTotal, probeSeconds] as const)
        for (const key of seriesOf(metric)) if (key['pod'] === p.name && key['namespace'] === p.namespace) metric.remove(key);
    },
    watch: ({ workers, cgroupVersion }) => {
      gauge('kubelet_cgroup_version', 'Version of the cgroup hierarchy', () => cgroupVersion);
      gauge('kubelet_desired_pods', 'Pods that the kubelet is to run', () => workers().length);
      gauge('kubelet_active_pods', 'Pods that are not over', () => workers().filter((w) => w.state.phase === 'syncing').length);
      gauge('kubelet_working_pods', 'Pods that the kubelet works for', () => workers().filter((w) => w.state.phase !== 'finished').length);
      gauge(
        'kubelet_running_pods',
        'Pods that have a running sandbox',
        () => workers().filter((w) => w.observed.sandboxes.some((s) => s.state === 'ready')).length,
      );
      new Gauge({
        name: 'kubelet_running_containers',
        help: 'Containers by state',
        labelNames: ['container_state'],
        registers,
        collect() {
          const states = new Map<string, number>();
          for (const w of workers()) for (const c of w.observed.containers) states.set(c.state, (states.get(c.state) ?? 0) + 1);
          this.reset();
          for (const [container_state, count] of states) this.set({ container_state }, count);
        },
      });
    },
    render: () => main.metrics(),
    renderProbes: () => probes.metrics(),
  };
}

/** Label sets of a metric; prom-client keeps them by a hash of its own. */
function seriesOf(metric: Counter | Histogram): readonly Record<string, string>[] {
  const { hashMap } = metric as unknown as { hashMap: Record<string, { labels: Record<string, string> }> };
  return Object.values(hashMap).map((s) => s.labels);
}
