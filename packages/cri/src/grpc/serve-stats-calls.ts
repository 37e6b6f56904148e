import type { Container, ContainerStats } from '../container.ts';
import { isRuntimeError, RuntimeError } from '../runtime-error.ts';
import type { PodSandbox, PodSandboxStatus } from '../sandbox.ts';
import { type InterfaceCounters, readNetDev } from './net-dev.ts';
import { type ById, type Call, clean, cleanContainer, type Filter, type ServedParts, selects } from './serve-calls.ts';
import { toWireStats, toWireUsage } from './wire-container.ts';
import { nanosOf } from './wire-sandbox.ts';

/** The name that the CRI's runtimes give a sandbox's own interface. */
const defaultInterface = 'eth0';

/** What a sandbox and its containers use together, at the time of the latest reading. */
export const sumStats = (id: string, all: readonly ContainerStats[]): ContainerStats => {
  const sum = (of: (s: ContainerStats) => number): number => all.reduce((n, s) => n + of(s), 0);
  return {
    id,
    name: '',
    timestampMs: Math.max(0, ...all.map((s) => s.timestampMs)),
    cpuUsageNanoSeconds: sum((s) => s.cpuUsageNanoSeconds),
    memoryUsageBytes: sum((s) => s.memoryUsageBytes),
    memoryWorkingSetBytes: sum((s) => s.memoryWorkingSetBytes),
    memoryRssBytes: sum((s) => s.memoryRssBytes),
    pageFaults: sum((s) => s.pageFaults),
    majorPageFaults: sum((s) => s.majorPageFaults),
    processCount: sum((s) => s.processCount ?? 0),
  };
};

const toWireInterface = (i: InterfaceCounters): object => ({
  name: i.name,
  rxBytes: { value: i.rxBytes },
  rxErrors: { value: i.rxErrors },
  txBytes: { value: i.txBytes },
  txErrors: { value: i.txErrors },
});

function renderPodStats(
  s: PodSandbox,
  o: {
    readonly pod: ContainerStats;
    readonly containers: readonly (readonly [Container, ContainerStats])[];
    readonly interfaces: readonly InterfaceCounters[] | undefined;
  },
): object {
  const timestamp = nanosOf(o.pod.timestampMs);
  const own = o.interfaces?.find((i) => i.name === defaultInterface);
  const others = (o.interfaces ?? []).filter((i) => i !== own).map(toWireInterface);
  const network = { timestamp, ...(own === undefined ? {} : { defaultInterface: toWireInterface(own) }), interfaces: others };
  return {
    attributes: { id: s.id, metadata: s.metadata, labels: s.labels, annotations: s.annotations },
    linux: {
      ...toWireUsage(o.pod),
      // On the host's network the counters are the host's.
      ...(o.interfaces === undefined ? {} : { network }),
      process: { timestamp, processCount: { value: o.pod.processCount ?? 0 } },
      containers: o.containers.map(([c, stats]) => toWireStats(stats, c)),
    },
  };
}

/** The RuntimeService's calls about what containers and sandboxes use. */
export function createStatsCalls(p: ServedParts): Record<string, Call> {
  const { runtime } = p.target;
  const running = async (podSandboxId: string | undefined): Promise<readonly Container[]> => {
    const found = await runtime.listContainers({ state: 'running', ...(podSandboxId === undefined ? {} : { podSandboxId }) });
    return found.map(cleanContainer);
  };
  const read = async (containers: readonly Container[]): Promise<(readonly [Container, ContainerStats])[]> => {
    const all = await Promise.all(containers.map(async (c) => [c, await runtime.containerStats(c.id)] as const));
    // Some may have ended meanwhile.
    return all.flatMap(([c, stats]) => (stats === undefined ? [] : [[c, stats] as const]));
  };
  const podStats = async (status: PodSandboxStatus): Promise<object> => {
    const { pid, namespaces } = status;
    const [containers, own, interfaces] = await Promise.all([
      running(status.id).then(read),
      runtime.containerStats(status.id),
      pid === undefined || namespaces.network === 'node' ? undefined : readNetDev(pid),
    ]);
    const parts = [...(own === undefined ? [] : [own]), ...containers.map(([, stats]) => stats)];
    return renderPodStats(clean(status), { pod: sumStats(status.id, parts), containers, interfaces });
  };

  const calls = {
    ContainerStats: async (r: ById) => {
      const stats = await runtime.containerStats(r.containerId);
      if (stats === undefined) throw new RuntimeError('not-found', `no statistics of container ${r.containerId}`);
      const [container, written] = await Promise.all([runtime.containerStatus(r.containerId), runtime.containerFilesystem(r.containerId)]);
      return { stats: toWireStats(stats, cleanContainer(container), written) };
    },
    ListContainerStats: async ({ filter: f }: { filter: Filter | null }) => {
      const all = await read((await running(f?.podSandboxId || undefined)).filter((c) => selects(f, c)));
      return { stats: all.map(([c, stats]) => toWireStats(stats, c)) };
    },
    PodSandboxStats: async (r: ById) => {
      const status = await runtime.podSandboxStatus(r.podSandboxId);
      if (status.state !== 'ready') throw new RuntimeError('conflict', `sandbox ${r.podSandboxId} is not running`);
      return { stats: await podStats(status) };
    },
    ListPodSandboxStats: async ({ filter: f }: { filter: Filter | null }) => {
      const ready = (await runtime.listPodSandbox({ state: 'ready' })).filter((s) => selects(f, clean(s)));
      const all = await Promise.all(
        ready.map(async ({ id }) => {
          try {
            return await podStats(await runtime.podSandboxStatus(id));
          } catch (error) {
            if (!isRuntimeError(error, 'not-found')) throw error;
            return undefined;
          }
        }),
      );
      return { stats: all.filter((s) => s !== undefined) };
    },
  };
  return calls satisfies Record<string, Call>;
}
