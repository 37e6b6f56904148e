import { loadConfig } from '../config.ts';
import { isAlive, readState, stopProcess, type ProcessIdentity, type ProcessState } from '../supervisor/state.ts';
import type { Steps } from '../up/steps.ts';
import { removeCgroups } from './cgroups.ts';
import { removeHostNetwork } from './host-network.ts';
import { removeFolder, removeImages, removeWorkloads, unmountBelow } from './workloads.ts';

/** Stops the processes of the cluster in `rootDir`; with `workloads` its containers too, with `wipe` every trace of it. Safe to repeat. */
export async function down(rootDir: string, steps: Steps, o: { workloads: boolean; wipe: boolean }): Promise<void> {
  const config = loadConfig(rootDir);
  if (config === undefined) {
    steps.line(`There is no cluster in ${rootDir}.`);
    return;
  }
  const state = readState(rootDir);
  await steps.run('Stopping the processes', async (note) => {
    if (isAlive(state?.supervisor)) await stopProcess(state.supervisor, 90);
    const left = Object.values(readState(rootDir)?.processes ?? {}).filter((p): p is ProcessState & ProcessIdentity => isAlive(p));
    await Promise.all(left.map((p) => stopProcess(p, 10)));
    note(state === undefined ? 'none were running' : 'stopped');
  });
  if (!o.workloads) {
    steps.line('Containers go on running; `npm run up` finds them again. `npm run down -- --wipe` removes everything.');
    return;
  }
  await steps.run('Removing containers', async (note) => note(`${await removeWorkloads(config)} removed`));
  await steps.run('Removing the network', () => removeHostNetwork(config));
  if (!o.wipe) return;
  await steps.run('Removing images', async (note) => note(`${await removeImages(config)} removed`));
  await steps.run('Removing all state', async (note) => {
    removeCgroups(config);
    await unmountBelow(rootDir);
    removeFolder(rootDir);
    note(rootDir);
  });
}
