import { readFile } from 'node:fs/promises';

export interface InterfaceCounters {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly txBytes: number;
  readonly txErrors: number;
}

/** `/proc/<pid>/net/dev` without the loopback interface. */
export const parseNetDev = (text: string): readonly InterfaceCounters[] =>
  text
    .split('\n')
    .map((line) => /^\s*([^:\s]+):\s*(.*)$/.exec(line))
    .filter((m) => m !== null)
    .map(([, name = '', values = '']) => {
      const [rxBytes = 0, , rxErrors = 0, , , , , , txBytes = 0, , txErrors = 0] = values.trim().split(/\s+/).map(Number);
      return { name, rxBytes, rxErrors, txBytes, txErrors };
    })
    .filter((i) => i.name !== 'lo');

/** Of the network namespace of a process; none when that has ended. */
export const readNetDev = (pid: number): Promise<readonly InterfaceCounters[]> =>
  readFile(`/proc/${pid}/net/dev`, 'utf8').then(parseNetDev, (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ESRCH' && error.code !== 'EINVAL') throw error;
    return [];
  });
