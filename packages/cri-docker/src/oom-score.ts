import { readFile, readdir } from 'node:fs/promises';

const sysResource = 1n << 24n;

/** The engine's process, found by name where /proc shows the node's processes. */
export async function findEngineProcess(): Promise<number | undefined> {
  for (const entry of await readdir('/proc').catch(() => [] as string[])) {
    if (!/^\d+$/.test(entry)) continue;
    const comm = await readFile(`/proc/${entry}/comm`, 'utf8').catch(() => '');
    if (comm.trim() !== 'dockerd') continue;
    // Engines inside containers are seen as well: they have a pid in a namespace of their own besides.
    const status = await readFile(`/proc/${entry}/status`, 'utf8').catch(() => '');
    if (/^NSpid:\t\d+\t/m.test(status)) continue;
    return Number(entry);
  }
  return undefined;
}

/**
 * The lowest oom_score_adj that containers can get. Lowering it needs CAP_SYS_RESOURCE, which an engine inside a container or a
 * small VM may lack; its starts would then fail with a text that says nothing of it.
 */
export async function detectOomScoreFloor(enginePid: number | undefined): Promise<number> {
  if (enginePid === undefined) return -1000;
  const status = await readFile(`/proc/${enginePid}/status`, 'utf8').catch(() => '');
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1];
  return effective === undefined || (BigInt(`0x${effective}`) & sysResource) !== 0n ? -1000 : 0;
}

/** How a start fails when runc may not write the score. */
export const isOomScoreRefusal = (message: string): boolean => /oom_score_adj|can't get final child's PID/.test(message);
