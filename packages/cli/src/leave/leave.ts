import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiAccess, hostAccess } from '../cluster/api-request.ts';
import { deleteNode } from '../cluster/delete-node.ts';
import { moreNodes } from '../cluster/more-nodes.ts';
import { type ClusterConfig, loadConfig } from '../config.ts';
import { removeTraces } from '../down/down.ts';
import { stopProcesses } from '../down/stop-processes.ts';
import { kubeletDir } from '../host/kubelet-folder.ts';
import { isExternalEtcd } from '../supervisor/etcd-process.ts';
import { isAlive, readState } from '../supervisor/state.ts';
import type { Steps } from '../up/steps.ts';
import { UserError } from '../user-error.ts';
import { callForAWhile, cordon, drainNode } from './drain-node.ts';

export interface LeaveOptions {
  readonly timeoutMs: number;
  /** Leaves whatever stands in the way: pods that can't be evicted, a control plane that does not answer. */
  readonly force: boolean;
}

/** Runs a part that needs the control plane. With `force` a failure is told and not thrown. */
async function attempt(o: LeaveOptions, steps: Steps, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const failure =
      error instanceof UserError
        ? error
        : new UserError(
            `The control plane does not answer: ${error instanceof Error ? error.message : String(error)}\nWith --force this host leaves anyhow.`,
            'unreachable',
          );
    if (!o.force) throw failure;
    steps.line(`! ${failure.message.split('\n')[0] ?? ''}`);
  }
}

async function deleteOwnNode(access: ApiAccess, nodeName: string): Promise<void> {
  const why = await deleteNode(access, nodeName, { withinMs: 10_000 });
  if (why !== undefined)
    throw new UserError(`Node ${nodeName} can't be deleted: ${why}. Delete it with: kubectl delete node ${nodeName}`, 'refused');
}

/** Data of claims (class local-path) that lies on this host alone, and would go with it. Throws unless that is accepted. */
export function checkVolumes(nodes: readonly Pick<ClusterConfig, 'rootDir' | 'kubeletDir'>[], force: boolean): void {
  const names = nodes.flatMap((node) => {
    const folder = join(kubeletDir(node), 'local-volumes');
    return existsSync(folder) ? readdirSync(folder).filter((n) => !n.startsWith('.')) : [];
  });
  if (names.length === 0 || force) return;
  const [first = ''] = names;
  const which = names.length === 1 ? `PersistentVolume ${first} lies` : `${names.length} PersistentVolumes (${first}, …) lie`;
  throw new UserError(
    `${which} on this host's disk and would be removed with it. Save the data and delete the claims, or give it up with --force.`,
    'refused',
  );
}

/**
 * The whole of `skiff leave`: the pods of the host's nodes go elsewhere, their Nodes are deleted, and nothing of the cluster stays on this host.
 * Safe to repeat. Throws UserError, after which the nodes still work.
 */
export async function leave(rootDir: string, steps: Steps, o: LeaveOptions): Promise<void> {
  const config = loadConfig(rootDir);
  if (config === undefined) throw new UserError(`This host is in no cluster (${rootDir}).`, 'usage');
  const nodes = [config, ...moreNodes(config)];
  checkVolumes(nodes, o.force);
  const access = hostAccess(config);
  // Asked first: the last host of a control plane stays.
  const others = config.role === 'node' ? access : await (await import('../control-plane/other-hosts.ts')).accessOfOthers(config);
  await attempt(o, steps, () =>
    steps.run('Moving the pods elsewhere', async (note) => {
      const isRunning = isAlive(readState(rootDir)?.supervisor);
      // All first: what leaves one must not come to the next.
      const names = nodes.map((n) => n.nodeName);
      const call = callForAWhile(o);
      for (const nodeName of names) await cordon(access, nodeName, call);
      const moved = [];
      for (const nodeName of names) moved.push(await drainNode(access, { ...o, nodeName, isRunning }, note));
      const known = moved.filter((n) => n !== undefined);
      note(known.length === 0 ? 'the cluster has no such node' : `${known.reduce((a, b) => a + b, 0)} moved`);
    }),
  );
  if (config.role === 'control-plane' && !isExternalEtcd(config)) {
    const { removeOwnMember } = await import('../control-plane/members.ts');
    await attempt(o, steps, () => steps.run('Leaving etcd', () => removeOwnMember(config)));
  }
  // A running kubelet would do its node's work to the end, and could register it again.
  await stopProcesses(rootDir, steps);
  for (const { nodeName } of nodes)
    await attempt(o, steps, () => steps.run(`Deleting node ${nodeName}`, () => deleteOwnNode(others, nodeName)));
  await removeTraces(config, steps, { wipe: true });
}
