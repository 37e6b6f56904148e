import { isAlive, readState, stopProcess, type ProcessIdentity, type ProcessState } from '../supervisor/state.ts';
import type { Steps } from '../up/steps.ts';

/** Stops what runs from `rootDir`, the supervisor first. Containers go on. Safe to repeat. */
export async function stopProcesses(rootDir: string, steps: Steps): Promise<void> {
  const state = readState(rootDir);
  await steps.run('Stopping the processes', async (note) => {
    if (isAlive(state?.supervisor)) await stopProcess(state.supervisor, 90);
    const left = Object.values(readState(rootDir)?.processes ?? {}).filter((p): p is ProcessState & ProcessIdentity => isAlive(p));
    await Promise.all(left.map((p) => stopProcess(p, 10)));
    note(state === undefined ? 'none were running' : 'stopped');
  });
}
