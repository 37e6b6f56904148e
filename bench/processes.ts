import { readdirSync, readFileSync } from 'node:fs';

/** CPU milliseconds that a process has used so far (its own, all threads). */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Resident memory of a process in MiB. */
export const rssMiB = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
export const quantile = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.max(0, Math.ceil(values.length * q) - 1))] ?? Number.NaN;

/** PIDs of processes whose name and arguments fulfil the condition; those that end meanwhile are left out. */
function processesWith(test: (comm: string, args: readonly string[]) => boolean): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return test(readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'));
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** The process that carries a cluster's traffic: it outlives the one that started it. */
export const proxyDataOf = (instance: string): number | undefined =>
  processesWith((_comm, args) => args.some((a) => a.endsWith('/data/main.js')) && args.includes(`--instance=${instance}`))[0];
