import type { ContainerStats as EngineStats } from 'dockerode';
import type { ContainerStats } from '@skiff/cri';
import type { Engine } from './engine.ts';
import { asRuntimeError } from './engine-error.ts';
import { labelNames } from './labels.ts';

const field = (stats: Readonly<Record<string, number | undefined>>, ...names: readonly string[]): number => {
  for (const name of names) {
    const value = stats[name];
    if (value !== undefined) return value;
  }
  return 0;
};

/** One reading of a container's cgroup by the engine; undefined when it doesn't run. */
export async function readContainerStats(engine: Engine, id: string): Promise<ContainerStats | undefined> {
  const docker = await engine.docker();
  const container = docker.getContainer(id);
  try {
    const [info, raw] = await Promise.all([
      container.inspect(),
      container.stats({ stream: false, 'one-shot': true } as { stream: false }) as Promise<EngineStats>,
    ]);
    if (!info.State.Running) return undefined;
    const memory = raw.memory_stats as { usage?: number; stats?: Readonly<Record<string, number | undefined>> };
    const details = memory.stats ?? {};
    const usage = memory.usage ?? 0;
    return {
      id,
      name: info.Config.Labels[labelNames.containerName] ?? '',
      timestampMs: Date.parse(raw.read),
      cpuUsageNanoSeconds: raw.cpu_stats.cpu_usage.total_usage,
      memoryUsageBytes: usage,
      // Upstream's working set: what is in use without the file cache that could go at once.
      memoryWorkingSetBytes: Math.max(0, usage - field(details, 'total_inactive_file', 'inactive_file')),
      memoryRssBytes: field(details, 'total_rss', 'anon'),
      pageFaults: field(details, 'total_pgfault', 'pgfault'),
      majorPageFaults: field(details, 'total_pgmajfault', 'pgmajfault'),
      ...(raw.pids_stats?.current === undefined ? {} : { processCount: raw.pids_stats.current }),
    };
  } catch (error) {
    throw asRuntimeError(error);
  }
}
