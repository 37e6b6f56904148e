import { readFile } from 'node:fs/promises';

export interface InterfaceStats {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

/** /proc/net/dev, without the loopback. */
export const parseNetDev = (text: string): readonly InterfaceStats[] =>
  text
    .split('\n')
    .slice(2)
    .flatMap((line) => {
      const [name, rest] = line.split(':');
      if (rest === undefined || name === undefined || name.trim() === 'lo') return [];
      const f = rest.trim().split(/\s+/).map(Number);
      const at = (i: number): number => f[i] ?? 0;
      return [
        {
          name: name.trim(),
          rxBytes: at(0),
          rxPackets: at(1),
          rxErrors: at(2),
          rxDropped: at(3),
          txBytes: at(8),
          txPackets: at(9),
          txErrors: at(10),
          txDropped: at(11),
        },
      ];
    });

/** As a process sees its network; nothing when it is gone. */
export const readNetwork = (pid: number | 'self'): Promise<readonly InterfaceStats[]> =>
  readFile(`/proc/${pid}/net/dev`, 'utf8').then(parseNetDev, () => []);

/** The interface that counts for the node: the one of the default route. */
export async function defaultInterface(): Promise<string | undefined> {
  const routes = await readFile('/proc/net/route', 'utf8').catch(() => '');
  return routes
    .split('\n')
    .slice(1)
    .map((l) => l.split('\t'))
    .find((f) => f[1] === '00000000')?.[0];
}
