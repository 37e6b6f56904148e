import { checkRestored } from '../backup/check-restored.ts';
import { maxNodes, moreNodes } from '../cluster/more-nodes.ts';
import { ConfigError, defaultNodeAddress, hasLostAddress, loadConfig, saveConfig, type ClusterConfig } from '../config.ts';
import { stopProcesses } from '../down/stop-processes.ts';
import { publishCluster } from '../cluster/publish-cluster.ts';
import { checkAddresses } from '../host/address-conflicts.ts';
import { ensureHost } from '../host/ensure-host.ts';
import { checkNodeName } from '../join/checks.ts';
import { preparePki } from '../pki/prepare-pki.ts';
import { processesHere } from '../supervisor/processes.ts';
import { isAlive, readState } from '../supervisor/state.ts';
import { encryptExisting, ensureEncryptionKey, hasEncryptionKey } from './encrypt-secrets.ts';
import { ensureSupervisor, waitReady, waitUsable } from './start-host.ts';
import type { Steps } from './steps.ts';

export interface UpResult {
  readonly kubeconfig: string;
  readonly alreadyRunning: boolean;
}

/** A laptop comes to another network: its processes are told of the new address. Members of an etcd on several hosts are not moved. */
async function followAddress(config: ClusterConfig, steps: Steps): Promise<ClusterConfig> {
  if (!hasLostAddress(config)) return config;
  if (config.etcdExposed) {
    steps.line(`! This host’s address ${config.nodeAddress} is gone. Other hosts of the control plane expect it here.`);
    return config;
  }
  const nodeAddress = defaultNodeAddress();
  steps.line(
    `! This host’s address has changed from ${config.nodeAddress} to ${nodeAddress}. Hosts that have joined are told by: skiff join ${nodeAddress}:${config.securePort}`,
  );
  if (isAlive(readState(config.rootDir)?.supervisor)) await stopProcesses(config.rootDir, steps);
  return { ...config, nodeAddress };
}

/** Whether there are more nodes than the last time. Throws for fewer: the pods of the others would be left alone. */
function checkNodeCount(wanted: ClusterConfig): boolean {
  const { nodes } = wanted;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > maxNodes)
    throw new ConfigError(`--nodes takes a number from 1 to ${maxNodes}, not "${nodes}"`);
  const before = loadConfig(wanted.rootDir)?.nodes ?? 1;
  if (nodes < before)
    throw new ConfigError(`this host has ${before} nodes, which can’t become fewer: npm run down -- --wipe removes the cluster`);
  return nodes > before;
}

/** The whole of `skiff up`: host, certificates, processes, a Ready node. Safe to repeat. Throws UserError with what to do. */
export async function up(wanted: ClusterConfig, steps: Steps, o: { timeoutMs: number; encryptSecrets?: boolean }): Promise<UpResult> {
  if (!/^[a-z][a-z0-9]{0,9}$/.test(wanted.instance))
    throw new ConfigError(`--instance takes up to 10 lower-case letters and digits, not "${wanted.instance}"`);
  checkNodeName(wanted.nodeName);
  const moreThanBefore = checkNodeCount(wanted);
  checkRestored(wanted);
  await ensureHost(wanted, steps);
  const config = await followAddress(wanted, steps);
  if (!isAlive(readState(config.rootDir)?.supervisor)) for (const warning of await checkAddresses(config)) steps.line(`! ${warning}`);
  const kubeconfig = await steps.run('Certificates and kubeconfigs', async () => {
    saveConfig(config);
    return preparePki(config);
  });
  if (o.encryptSecrets === true) {
    ensureEncryptionKey(config);
    // It may have been made by a run that was cut off before the restart.
    if (isAlive(readState(config.rootDir)?.supervisor) && !hasEncryptionKey(config.rootDir)) await stopProcesses(config.rootDir, steps);
  }
  if (moreThanBefore && isAlive(readState(config.rootDir)?.supervisor)) await stopProcesses(config.rootDir, steps);
  let alreadyRunning = false;
  const startedMs = Date.now();
  const names = processesHere(config).map((p) => p.name);
  await steps.run(`Starting ${names.join(', ')}`, async (note) => {
    alreadyRunning = ensureSupervisor(config);
    if (alreadyRunning) note('they run already');
  });
  if (config.etcdInitialCluster !== '' && !config.etcdPromoted) {
    // It may have gone down between its joining and its first vote.
    const { promoteMember } = await import('../control-plane/join-control-plane.ts');
    await steps.run('Member of etcd', (note) => promoteMember(config, note));
    saveConfig({ ...config, etcdPromoted: true });
  }
  // What nodes said before the processes were stopped tells nothing of those that start now.
  const sinceMs = alreadyRunning ? 0 : startedMs;
  const waitFor = async (node: ClusterConfig, note: (text: string) => void): Promise<void> => {
    const patience = { timeoutMs: o.timeoutMs, sinceMonotonicMs: performance.now() };
    await waitReady(node, note, { ...patience, sinceMs });
    await waitUsable(node, note, patience);
    note(node.nodeName);
  };
  await steps.run('Node is Ready', (note) => waitFor(config, note));
  for (const { nodeName } of moreNodes(config)) {
    await steps.run(`Node ${nodeName} is Ready`, (note) => waitFor({ ...config, nodeName }, note));
  }
  if (o.encryptSecrets === true) await encryptExisting(config, steps);
  await publishCluster(config);
  return { kubeconfig, alreadyRunning };
}
