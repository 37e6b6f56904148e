import type { RuntimeService } from '@skiff/cri';
import type { KubeletMetrics } from './kubelet-metrics.ts';

/** Upstream's names of the operations; what streams or waits is not measured. */
const operations = {
  version: 'version',
  status: 'status',
  runPodSandbox: 'run_podsandbox',
  stopPodSandbox: 'stop_podsandbox',
  removePodSandbox: 'remove_podsandbox',
  podSandboxStatus: 'podsandbox_status',
  listPodSandbox: 'list_podsandbox',
  createContainer: 'create_container',
  startContainer: 'start_container',
  signalContainer: 'stop_container',
  removeContainer: 'remove_container',
  listContainers: 'list_containers',
  containerStatus: 'container_status',
  updateContainerResources: 'update_container',
  containerStats: 'container_stats',
  containerFilesystem: 'container_filesystem',
  execSync: 'exec_sync',
  exec: 'exec',
  attach: 'attach',
  portForward: 'port_forward',
} as const satisfies Partial<Record<keyof RuntimeService, string>>;

/** The same runtime, with its operations counted and timed. */
export function measureRuntime(
  runtime: RuntimeService,
  metrics: Pick<KubeletMetrics, 'runtimeOperation'>,
  nowMs: () => number,
): RuntimeService {
  const measured: Record<string, unknown> = { ...runtime };
  for (const [method, name] of Object.entries(operations)) {
    const call = runtime[method as keyof typeof operations] as (...args: unknown[]) => Promise<unknown>;
    measured[method] = async (...args: unknown[]): Promise<unknown> => {
      const startedMs = nowMs();
      let failed = true;
      try {
        const result = await call(...args);
        failed = false;
        return result;
      } finally {
        metrics.runtimeOperation(name, (nowMs() - startedMs) / 1000, failed);
      }
    };
  }
  return measured as unknown as RuntimeService;
}
