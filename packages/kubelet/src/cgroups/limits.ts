/** What a cgroup may have. A field that is absent is left as it is; Infinity lifts a limit. */
export interface CgroupLimits {
  readonly cpuShares?: number;
  /** Of a period of 100 ms. */
  readonly cpuQuotaMicros?: number;
  readonly memoryBytes?: number;
  readonly swapBytes?: number;
  readonly pids?: number;
  /** Page size in bytes → bytes. */
  readonly hugePages?: ReadonlyMap<number, number>;
}

const periodMicros = 100_000;
const maxShares = 262_144;

/** CPU weight of cgroup v2 for v1 shares, with upstream's formula of 1.36 (it keeps 1024 shares at weight 100). */
export function sharesToWeight(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= maxShares) return 10_000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

/** A page size as the kernel's hugetlb files spell it: `2MB`, `1GB`, `64KB`. */
export function pageSizeName(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && value % 1024 === 0 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${value}${units[unit] ?? ''}`;
}

/** A file below the cgroup of a controller; with v2 there is one cgroup, under ''. */
export interface CgroupFile {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
}

export function renderFiles(l: CgroupLimits, version: 1 | 2): readonly CgroupFile[] {
  const files: CgroupFile[] = [];
  const add = (controller: string, v1: string, v2: string, value: number | undefined, write: (n: number) => string): void => {
    if (value === undefined) return;
    const file = version === 2 ? v2 : v1;
    if (file !== '') files.push({ controller: version === 2 ? '' : controller, file, value: write(value) });
  };
  const none = version === 2 ? 'max' : '-1';
  const bounded = (n: number): string => (Number.isFinite(n) ? String(n) : none);
  add('cpu', 'cpu.shares', 'cpu.weight', l.cpuShares, (n) => String(version === 2 ? sharesToWeight(n) : n));
  add('cpu', 'cpu.cfs_quota_us', 'cpu.max', l.cpuQuotaMicros, (n) => (version === 2 ? `${bounded(n)} ${periodMicros}` : bounded(n)));
  add('memory', 'memory.limit_in_bytes', 'memory.max', l.memoryBytes, bounded);
  // With v1 swap is counted together with memory, and bounded where containers are made.
  add('memory', '', 'memory.swap.max', l.swapBytes, bounded);
  add('pids', 'pids.max', 'pids.max', l.pids, (n) => (Number.isFinite(n) ? String(n) : 'max'));
  for (const [page, bytes] of l.hugePages ?? []) {
    const name = pageSizeName(page);
    add('hugetlb', `hugetlb.${name}.limit_in_bytes`, `hugetlb.${name}.max`, bytes, bounded);
  }
  return files;
}

/** The largest number of the kernel's, which systemd means by "infinity". */
const infinity = '18446744073709551615';

/** Properties of a systemd slice: name and value, all of type `t`. Huge pages are not among what systemd knows. */
export function renderProperties(l: CgroupLimits, version: 1 | 2): readonly (readonly [string, string])[] {
  const properties: (readonly [string, string])[] = [];
  const add = (name: string, value: number | undefined): void => {
    if (value !== undefined) properties.push([name, Number.isFinite(value) ? String(value) : infinity]);
  };
  if (version === 2) add('CPUWeight', l.cpuShares === undefined ? undefined : sharesToWeight(l.cpuShares));
  else add('CPUShares', l.cpuShares);
  // Per second, of which there are ten periods. systemd rounds up to 10 ms.
  add('CPUQuotaPerSecUSec', l.cpuQuotaMicros === undefined ? undefined : Math.ceil(l.cpuQuotaMicros / 1000) * 10_000);
  add(version === 2 ? 'MemoryMax' : 'MemoryLimit', l.memoryBytes);
  if (version === 2) add('MemorySwapMax', l.swapBytes);
  add('TasksMax', l.pids);
  return properties;
}
