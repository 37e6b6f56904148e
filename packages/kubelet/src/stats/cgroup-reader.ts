import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type CgroupDetails, readDetails } from './cgroup-details.ts';

/** Directories of one cgroup by controller; with v2 there is one, under ''. */
export type CgroupPaths = ReadonlyMap<string, string>;

export interface CgroupReading {
  readonly cpuNanos: number;
  readonly memoryUsageBytes: number;
  /** What is in use without the file cache that could go at once. */
  readonly workingSetBytes: number;
  readonly rssBytes: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
  readonly processes: number;
  /** undefined: no limit. */
  readonly memoryLimitBytes?: number;
  readonly swapBytes: number;
}

/** Paths in /proc/<pid>/cgroup: `4:memory:/a/b` with v1, `0::/a/b` with v2. One that lies outside what this process sees is undefined. */
export function parseCgroupPaths(text: string, version: 1 | 2): CgroupPaths | undefined {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers = '', directory = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (directory.startsWith('/..')) return undefined;
    if (version === 2 ? controllers === '' && directory !== '' : controllers !== '')
      for (const c of version === 2 ? [''] : controllers.split(',')) found.set(c, directory);
  }
  return found.size === 0 ? undefined : found;
}

export const parentOf = (paths: CgroupPaths): CgroupPaths => new Map([...paths].map(([c, p]) => [c, path.posix.dirname(p)]));

/** `name value` lines. */
export function parseStat(text: string): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) out.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return out;
}

/** v1 says "no limit" with the largest number of pages, v2 with a word. */
const limitOf = (text: string): number | undefined => {
  const bytes = Number(text);
  return Number.isFinite(bytes) && bytes < 2 ** 60 ? bytes : undefined;
};

const mountPoint = '/sys/fs/cgroup';

export interface CgroupReader {
  /** The cgroup of a process; undefined when it is gone or can't be seen from here. */
  pathsOf(pid: number): Promise<CgroupPaths | undefined>;
  /** undefined when the cgroup is gone. Some hundred microseconds, without the engine. */
  read(paths: CgroupPaths): Promise<CgroupReading | undefined>;
  details(paths: CgroupPaths): Promise<CgroupDetails>;
}

/** `local`: how this process reaches the engine's files. */
export function createCgroupReader(o: { readonly version: 1 | 2; readonly local: (path: string) => string }): CgroupReader {
  const at = (paths: CgroupPaths, controller: string, file: string): string =>
    o.local(path.posix.join(mountPoint, o.version === 2 ? '' : controller, paths.get(o.version === 2 ? '' : controller) ?? '/none', file));
  const text = (file: string): Promise<string> => readFile(file, 'utf8').then((t) => t.trim());
  const optional = (file: string): Promise<string> => text(file).catch(() => '');

  const readV1 = async (p: CgroupPaths): Promise<CgroupReading> => {
    const [usage, stat, limit, cpu, pids, memsw] = await Promise.all([
      text(at(p, 'memory', 'memory.usage_in_bytes')),
      text(at(p, 'memory', 'memory.stat')).then(parseStat),
      text(at(p, 'memory', 'memory.limit_in_bytes')),
      text(at(p, 'cpuacct', 'cpuacct.usage')),
      optional(at(p, 'pids', 'pids.current')),
      optional(at(p, 'memory', 'memory.memsw.usage_in_bytes')),
    ]);
    const used = Number(usage);
    const max = limitOf(limit);
    return {
      cpuNanos: Number(cpu),
      memoryUsageBytes: used,
      workingSetBytes: Math.max(0, used - (stat.get('total_inactive_file') ?? 0)),
      rssBytes: stat.get('total_rss') ?? 0,
      pageFaults: stat.get('total_pgfault') ?? 0,
      majorPageFaults: stat.get('total_pgmajfault') ?? 0,
      processes: Number(pids),
      ...(max === undefined ? {} : { memoryLimitBytes: max }),
      swapBytes: memsw === '' ? 0 : Math.max(0, Number(memsw) - used),
    };
  };
  const readV2 = async (p: CgroupPaths): Promise<CgroupReading> => {
    const [usage, stat, limit, cpu, pids, swap] = await Promise.all([
      text(at(p, '', 'memory.current')),
      text(at(p, '', 'memory.stat')).then(parseStat),
      text(at(p, '', 'memory.max')),
      text(at(p, '', 'cpu.stat')).then(parseStat),
      optional(at(p, '', 'pids.current')),
      optional(at(p, '', 'memory.swap.current')),
    ]);
    const used = Number(usage);
    const max = limitOf(limit);
    return {
      cpuNanos: (cpu.get('usage_usec') ?? 0) * 1000,
      memoryUsageBytes: used,
      workingSetBytes: Math.max(0, used - (stat.get('inactive_file') ?? 0)),
      rssBytes: stat.get('anon') ?? 0,
      pageFaults: stat.get('pgfault') ?? 0,
      majorPageFaults: stat.get('pgmajfault') ?? 0,
      processes: Number(pids),
      ...(max === undefined ? {} : { memoryLimitBytes: max }),
      swapBytes: Number(swap),
    };
  };
  return {
    pathsOf: async (pid) => {
      const said = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => undefined);
      return said === undefined ? undefined : parseCgroupPaths(said, o.version);
    },
    details: (paths) => readDetails(o.version, (controller, file) => optional(at(paths, controller, file))),
    read: (paths) => (o.version === 2 ? readV2(paths) : readV1(paths)).catch(() => undefined),
  };
}
