import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { readCertificateFile } from '@skiff/component-base';
import { apiRequest, type ApiAnswer, hostAccess } from '../cluster/api-request.ts';
import { hasLostAddress, saveConfig, type ClusterConfig } from '../config.ts';
import { stopProcesses } from '../down/stop-processes.ts';
import { ensureHost } from '../host/ensure-host.ts';
import { kubeletClientFile } from '../pki/cluster-pki.ts';
import { isAlive, readState } from '../supervisor/state.ts';
import type { Steps } from '../up/steps.ts';
import { UserError } from '../user-error.ts';
import { checkClock } from './checks.ts';
import { type Endpoint, urlOf } from './discover.ts';
import { startNode } from './join.ts';
import { writeNodeKubeconfig } from './node-kubeconfigs.ts';

const joinAnew =
  'Take this host out and join it anew: skiff leave --force, then the command that `skiff token create --print-join-command` prints on the control plane.';

/** A host that was off for longer than its certificate lives has nothing left to be known by. Throws UserError. */
function checkCertificate(config: ClusterConfig): void {
  const file = join(config.rootDir, 'pki', kubeletClientFile);
  const stored = readCertificateFile(file);
  if (stored === undefined) throw new UserError(`This host’s certificate is gone (${file}). ${joinAnew}`, 'refused');
  if (stored.notAfterMs > Date.now()) return;
  throw new UserError(
    `This host’s certificate has expired on ${new Date(stored.notAfterMs).toISOString().slice(0, 10)} (or its clock is wrong). ${joinAnew}`,
    'refused',
  );
}

/** Asks the cluster about this host's node; undefined when nobody answers, as while the control plane is away. */
async function askNode(config: ClusterConfig): Promise<ApiAnswer | undefined> {
  return apiRequest(hostAccess(config), { path: `/api/v1/nodes/${config.nodeName}`, timeoutMs: 5_000 }).catch(() => undefined);
}

/** What changed since the node last ran here: where the control plane is (`endpoint`), and this host's own address. */
async function learnChanges(config: ClusterConfig, steps: Steps, endpoint: Endpoint | undefined): Promise<ClusterConfig> {
  let now = config;
  if (endpoint !== undefined) {
    const url = urlOf(endpoint);
    now = { ...now, servers: [url, ...now.servers.filter((s) => s !== url)] };
    const access = { ...hostAccess(config), servers: [url] };
    await apiRequest(access, { path: '/version' }).catch((error: unknown) => {
      throw new UserError(
        `No apiserver of this host’s cluster answers at ${url.replace('https://', '')}: ${error instanceof Error ? error.message : String(error)}`,
        'unreachable',
      );
    });
    const authority = readFileSync(join(now.rootDir, 'pki/ca.crt'), 'utf8');
    for (const name of ['kubelet', 'proxy'] as const) writeNodeKubeconfig(now, authority, name);
  }
  if (hasLostAddress(now)) {
    const answer = await askNode(now);
    if (answer === undefined)
      throw new UserError(
        `This host’s address ${now.nodeAddress} is gone, and no apiserver can be reached (${now.servers.join(', ')}). If those moved too: skiff join <host:port>.`,
        'unreachable',
      );
    steps.line(`! This host’s address has changed from ${now.nodeAddress} to ${answer.localAddress}.`);
    now = { ...now, nodeAddress: answer.localAddress };
  }
  if (now !== config) saveConfig(now);
  return now;
}

/**
 * Starts a host that has joined, as after a reboot, under the address it has now; finds it running otherwise. `endpoint`: where the
 * control plane is by now. Safe to repeat. Throws UserError.
 */
export async function rejoin(known: ClusterConfig, steps: Steps, o: { timeoutMs: number; endpoint?: Endpoint }): Promise<ClusterConfig> {
  checkCertificate(known);
  await ensureHost(known, steps);
  const config = await learnChanges(known, steps, o.endpoint);
  const answer = await askNode(config);
  if (answer !== undefined && !Number.isNaN(answer.serverTimeMs)) checkClock(Date.now() - answer.serverTimeMs);
  if (answer?.code === 401) throw new UserError(`The cluster does not know this host’s certificate any more. ${joinAnew}`, 'refused');
  // A kubelet registers its node when it starts, and not again when it is deleted: it is started anew.
  const isRunning = isAlive(readState(config.rootDir)?.supervisor);
  if (isRunning && (config !== known || answer?.code === 404)) await stopProcesses(config.rootDir, steps);
  await startNode(config, steps, o.timeoutMs);
  return config;
}
