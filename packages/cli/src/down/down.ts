import { moreNodes } from '../cluster/more-nodes.ts';
import { dirname } from 'node:path';
import { loadConfig, type ClusterConfig } from '../config.ts';
import { defaultInstance, devicePluginDirectory } from '../supervisor/processes.ts';
import type { Steps } from '../up/steps.ts';
import { kubeletDir } from '../host/kubelet-folder.ts';
import { removeCgroups } from './cgroups.ts';
import { removeHostNetwork } from './host-network.ts';
import { stopProcesses } from './stop-processes.ts';
import { removeEmptyFolders, removeFolder, removeImages, removeWorkloads, unmountBelow } from './workloads.ts';

/** Stops the processes of the cluster in `rootDir`; with `workloads` its containers too, with `wipe` every trace of it. Safe to repeat. */
export async function down(rootDir: string, steps: Steps, o: { workloads: boolean; wipe: boolean }): Promise<void> {
  const config = loadConfig(rootDir);
  if (config === undefined) {
    steps.line(`There is no cluster in ${rootDir}.`);
    return;
  }
  await stopProcesses(rootDir, steps);
  if (!o.workloads) {
    steps.line(
      config.role === 'node'
        ? 'Containers go on running; `skiff join` finds them again. `skiff leave` takes this host out of the cluster.'
        : 'Containers go on running; `npm run up` finds them again. `npm run down -- --wipe` removes everything.',
    );
    return;
  }
  await removeTraces(config, steps, { wipe: o.wipe });
}

/** Removes containers and network of a cluster whose processes are stopped; with `wipe` its images and state too. Safe to repeat. */
export async function removeTraces(config: ClusterConfig, steps: Steps, o: { wipe: boolean }): Promise<void> {
  const nodes = [config, ...moreNodes(config)];
  await steps.run('Removing containers', async (note) => {
    let [removed, stuck] = [0, 0];
    for (const node of nodes) {
      const done = await removeWorkloads(node);
      removed += done.removed;
      stuck += done.stuck;
    }
    note(`${removed} removed${stuck === 0 ? '' : `, ${stuck} that the runtime is still removing were left`}`);
  });
  await steps.run('Removing the network', () => removeHostNetwork(config));
  if (!o.wipe) return;
  await steps.run('Removing images', async (note) => {
    let removed = 0;
    for (const node of nodes) removed += await removeImages(node);
    note(`${removed} removed`);
  });
  await steps.run('Removing all state', async (note) => {
    for (const node of nodes) removeCgroups(node);
    const folders = [...new Set([kubeletDir(config), config.rootDir])];
    for (const folder of folders) await unmountBelow(folder);
    for (const folder of folders) removeFolder(folder);
    if (config.instance === defaultInstance) removeEmptyFolders([devicePluginDirectory, dirname(devicePluginDirectory)]);
    note(folders.filter((f, _, all) => !all.some((other) => f.startsWith(`${other}/`))).join(', '));
  });
}
