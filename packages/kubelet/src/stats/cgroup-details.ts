import { parseStat } from './cgroup-reader.ts';

/** What only people who look closely ask for; read for each of their questions. Times in nanoseconds; absent: this kernel does not tell. */
export interface CgroupDetails {
  readonly userNanos: number;
  readonly systemNanos: number;
  /** Of the CPU limit: its periods so far, those in which it was reached, and for how long. */
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledNanos: number;
  readonly cacheBytes: number;
  readonly maxUsageBytes?: number;
  /** How often the memory limit was reached. */
  readonly memoryFailures: number;
  readonly oomKills?: number;
  readonly devices: readonly DeviceTraffic[];
}

export interface DeviceTraffic {
  /** `8:0`. */
  readonly device: string;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly reads: number;
  readonly writes: number;
}

const tickNanos = 10_000_000;
const count = (stat: ReadonlyMap<string, number>, name: string): number => stat.get(name) ?? 0;

/** cgroup v1: `8:0 Read 123` lines of two files. */
export function parseBlkio(bytes: string, operations: string): readonly DeviceTraffic[] {
  const devices = new Map<string, { device: string; readBytes: number; writtenBytes: number; reads: number; writes: number }>();
  for (const [text, read, written] of [
    [bytes, 'readBytes', 'writtenBytes'],
    [operations, 'reads', 'writes'],
  ] as const)
    for (const [, device = '', what, value] of text.matchAll(/^(\d+:\d+) (Read|Write) (\d+)$/gm)) {
      const found = devices.get(device) ?? { device, readBytes: 0, writtenBytes: 0, reads: 0, writes: 0 };
      found[what === 'Read' ? read : written] = Number(value);
      devices.set(device, found);
    }
  return [...devices.values()];
}

/** cgroup v2: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …` lines. */
export function parseIoStat(text: string): readonly DeviceTraffic[] {
  return [...text.matchAll(/^(\d+:\d+) (.*)$/gm)].map(([, device = '', rest = '']) => {
    const value = (name: string): number => Number(new RegExp(`\\b${name}=(\\d+)`).exec(rest)?.[1] ?? 0);
    return { device, readBytes: value('rbytes'), writtenBytes: value('wbytes'), reads: value('rios'), writes: value('wios') };
  });
}

/** `read`: a file of the cgroup by controller, '' when it is not there. */
export async function readDetails(version: 1 | 2, read: (controller: string, file: string) => Promise<string>): Promise<CgroupDetails> {
  if (version === 1) {
    const [cpu, times, memory, max, failures, oom, bytes, operations] = await Promise.all([
      read('cpu', 'cpu.stat').then(parseStat),
      read('cpuacct', 'cpuacct.stat').then(parseStat),
      read('memory', 'memory.stat').then(parseStat),
      read('memory', 'memory.max_usage_in_bytes'),
      read('memory', 'memory.failcnt'),
      read('memory', 'memory.oom_control').then(parseStat),
      read('blkio', 'blkio.throttle.io_service_bytes'),
      read('blkio', 'blkio.throttle.io_serviced'),
    ]);
    const oomKills = oom.get('oom_kill');
    return {
      userNanos: count(times, 'user') * tickNanos,
      systemNanos: count(times, 'system') * tickNanos,
      periods: count(cpu, 'nr_periods'),
      throttledPeriods: count(cpu, 'nr_throttled'),
      throttledNanos: count(cpu, 'throttled_time'),
      cacheBytes: count(memory, 'total_cache'),
      ...(max === '' ? {} : { maxUsageBytes: Number(max) }),
      memoryFailures: Number(failures),
      ...(oomKills === undefined ? {} : { oomKills }),
      devices: parseBlkio(bytes, operations),
    };
  }
  const [cpu, memory, peak, events, io] = await Promise.all([
    read('', 'cpu.stat').then(parseStat),
    read('', 'memory.stat').then(parseStat),
    read('', 'memory.peak'),
    read('', 'memory.events').then(parseStat),
    read('', 'io.stat'),
  ]);
  return {
    userNanos: count(cpu, 'user_usec') * 1000,
    systemNanos: count(cpu, 'system_usec') * 1000,
    periods: count(cpu, 'nr_periods'),
    throttledPeriods: count(cpu, 'nr_throttled'),
    throttledNanos: count(cpu, 'throttled_usec') * 1000,
    cacheBytes: count(memory, 'file'),
    ...(peak === '' ? {} : { maxUsageBytes: Number(peak) }),
    memoryFailures: count(events, 'max'),
    oomKills: count(events, 'oom_kill'),
    devices: parseIoStat(io),
  };
}
