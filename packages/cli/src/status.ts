import { join } from 'node:path';
import { moreNodes } from './cluster/more-nodes.ts';
import { loadConfig } from './config.ts';
import { authorityWarning } from './pki/authority-end.ts';
import { isAlive, readState } from './supervisor/state.ts';
import { nodeReadiness } from './cluster/api-request.ts';
import type { Steps } from './up/steps.ts';

/** Prints the processes, the node, and what has to be done about the cluster's certificates; true when processes and node are well. */
export async function status(rootDir: string, steps: Steps): Promise<boolean> {
  const config = loadConfig(rootDir);
  const state = readState(rootDir);
  if (config === undefined || state === undefined || !isAlive(state.supervisor)) {
    steps.line(`No cluster is running from ${rootDir}.`);
    return false;
  }
  let well = true;
  for (const [name, p] of Object.entries(state.processes)) {
    const alive = isAlive(p);
    well &&= alive;
    const restarts = p.restarts === 0 ? '' : `, restarted ${p.restarts} times`;
    steps.line(alive ? `✓ ${name} (pid ${p.pid}${restarts})` : `✗ ${name}: ${p.lastExit ?? 'not running'}${restarts}`);
  }
  for (const { nodeName } of [config, ...moreNodes(config)]) {
    const node = await nodeReadiness({ ...config, nodeName });
    well &&= node.ready;
    steps.line(node.ready ? `✓ node ${nodeName} is Ready` : `✗ node ${nodeName}: ${node.why}`);
  }
  try {
    const warning = authorityWarning(config, Date.now());
    if (warning !== undefined) steps.line(`! ${warning}`);
  } catch (error) {
    steps.line(`! The certificate authorities can't be looked at: ${(error as Error).message}`);
  }
  steps.line(`Logs: ${join(rootDir, 'log')}`);
  return well;
}
