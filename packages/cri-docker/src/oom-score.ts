import { readFile } from 'node:fs/promises';

const sysResource = 1n << 24n;

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
