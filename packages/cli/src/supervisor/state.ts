import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A process told apart from a later one with the same pid by its start time (clock ticks after boot). */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
}
export interface ProcessState extends Partial<ProcessIdentity> {
  readonly startedAtMs: number;
  readonly restarts: number;
  readonly lastExit?: string;
}
export interface SupervisorState {
  readonly supervisor: ProcessIdentity;
  readonly processes: Readonly<Record<string, ProcessState>>;
}

export const statePath = (rootDir: string): string => join(rootDir, 'run/supervisor.json');

/** undefined when the process is gone (or a zombie). */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startTicks: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

export const isAlive = (p: Partial<ProcessIdentity> | undefined): p is ProcessIdentity =>
  p?.pid !== undefined && identityOf(p.pid)?.startTicks === p.startTicks;

export function readState(rootDir: string): SupervisorState | undefined {
  if (!existsSync(statePath(rootDir))) return undefined;
  try {
    return JSON.parse(readFileSync(statePath(rootDir), 'utf8')) as SupervisorState;
  } catch {
    // Written by rename, so a broken file is one that something else made: as good as none.
    return undefined;
  }
}

export function writeState(rootDir: string, state: SupervisorState): void {
  const path = statePath(rootDir);
  writeFileSync(`${path}.new`, JSON.stringify(state, null, 2));
  renameSync(`${path}.new`, path);
}

/** SIGTERM, then SIGKILL after `graceSeconds`; resolves when the process is gone. */
export async function stopProcess(p: ProcessIdentity, graceSeconds: number): Promise<void> {
  const deadline = Date.now() + graceSeconds * 1000;
  signal(p, 'SIGTERM');
  let killed = false;
  while (isAlive(p)) {
    if (!killed && Date.now() > deadline) {
      signal(p, 'SIGKILL');
      killed = true;
    }
    await new Promise((r) => setTimeout(r, 25));
  }
}

function signal(p: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isAlive(p)) return;
  try {
    process.kill(p.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
