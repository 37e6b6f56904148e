import { existsSync, rmSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import type { EtcdMember } from '@skiff/storage';
import { saveConfig, type ClusterConfig } from '../config.ts';
import { checkAddresses } from '../host/address-conflicts.ts';
import { ensureHost } from '../host/ensure-host.ts';
import { proveCluster, type JoinOrder } from '../join/join.ts';
import { writeFile } from '../pki/kubeconfig.ts';
import { ensureSupervisor, waitReady } from '../up/start-host.ts';
import type { Steps } from '../up/steps.ts';
import { preparePki } from '../pki/prepare-pki.ts';
import { UserError } from '../user-error.ts';
import { openEtcd, ownPeerUrl, reasonOf, whenSettled } from './etcd-access.ts';
import { externalEtcdFiles, hasEtcdData, receiveCertificates, type Received } from './hand-over.ts';

const promoteTimeoutMs = 60_000;
const promotePollMs = 200;

/** name=URL of all members, as etcd's --initial-cluster wants it. `own`: the one that has no name yet. */
export function renderInitialCluster(members: readonly EtcdMember[], own: { readonly name: string; readonly peerUrl: string }): string {
  return members
    .flatMap((m) => m.peerUrls.map((url) => `${url === own.peerUrl ? own.name : m.name}=${url}`))
    .toSorted()
    .join(',');
}

/** This host as the configuration has it, with what was handed over. */
function configOf(order: JoinOrder, settings: Partial<ClusterConfig>, received: Received): ClusterConfig {
  const config: ClusterConfig = { ...order.config, ...settings, role: 'control-plane', servers: [], redis: false };
  const { etcd } = received;
  if (!etcd.external) return { ...config, etcdExposed: true, etcdName: config.nodeName, etcdPeers: etcd.clientUrls };
  const path = (name: keyof typeof externalEtcdFiles): string =>
    etcd.files.includes(name) ? joinPath(config.rootDir, 'pki', externalEtcdFiles[name]) : '';
  return {
    ...config,
    etcdServers: etcd.clientUrls.join(','),
    etcdCaFile: path('ca'),
    etcdCertFile: path('cert'),
    etcdKeyFile: path('key'),
  };
}

/** Adds this host's member, which only follows at first. One that an earlier, broken-off try has added is used. */
async function addMember(config: ClusterConfig): Promise<ClusterConfig> {
  const peerUrl = ownPeerUrl(config);
  const etcd = await openEtcd(config, config.etcdPeers);
  try {
    let members = await etcd.members();
    const same = members.find((m) => m.peerUrls.includes(peerUrl));
    if (same !== undefined && same.name !== '')
      throw new UserError(
        `etcd has a member at ${peerUrl} already. If this host has lost its disk, take the old one out first, on another control plane host: skiff members remove ${same.name}`,
        'conflict',
      );
    if (same === undefined) members = await whenSettled(() => etcd.addLearner(peerUrl));
    return { ...config, etcdInitialCluster: renderInitialCluster(members, { name: config.etcdName, peerUrl }) };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`etcd takes no new member: ${reasonOf(error)}`, 'refused');
  } finally {
    etcd.close();
  }
}

/** Makes this host's member a voting one, once it has caught up. Nothing to do if it is. Throws UserError. */
export async function promoteMember(config: ClusterConfig, note: (text: string) => void): Promise<void> {
  if (config.etcdPeers.length === 0) return;
  const etcd = await openEtcd(config, config.etcdPeers);
  const deadline = Date.now() + promoteTimeoutMs;
  try {
    for (;;) {
      try {
        const own = (await etcd.members()).find((m) => m.peerUrls.includes(ownPeerUrl(config)));
        if (own === undefined)
          throw new UserError('This host’s member was taken out of etcd. To come back: skiff leave, then join again.', 'conflict');
        if (!own.isLearner) return note(`${(await etcd.members()).filter((m) => !m.isLearner).length} voting members`);
        await etcd.promote(own.id);
      } catch (error) {
        if (error instanceof UserError) throw error;
        note(reasonOf(error));
        if (Date.now() > deadline)
          throw new UserError(
            `This host’s member of etcd does not catch up: ${reasonOf(error)}; see ${joinPath(config.rootDir, 'log/etcd.log')}`,
          );
      }
      await new Promise((r) => setTimeout(r, promotePollMs));
    }
  } finally {
    etcd.close();
  }
}

/** The whole of `skiff join --control-plane`. Safe to repeat after a failure. Throws UserError. */
export async function joinControlPlane(order: JoinOrder & { readonly certificateKey: string }, steps: Steps): Promise<ClusterConfig> {
  const startedMs = Date.now();
  const proved = await proveCluster(order, steps);
  const received = await steps.run('Certificates of the control plane', () => receiveCertificates(proved.access, order.certificateKey));
  let config = configOf({ ...order, config: { ...order.config, nodeAddress: proved.nodeAddress } }, proved.settings, received);
  if (hasEtcdData(config))
    throw new UserError(
      `${joinPath(config.rootDir, 'etcd')} holds the data of an earlier member; \`skiff down --wipe\` removes it.`,
      'conflict',
    );
  await ensureHost(config, steps);
  for (const warning of await checkAddresses(config)) steps.line(`! ${warning}`);
  await steps.run('Certificates and kubeconfigs', async () => {
    const fresh = !existsSync(joinPath(config.rootDir, 'pki'));
    try {
      for (const [path, text] of Object.entries(received.files))
        writeFile(joinPath(config.rootDir, 'pki', path), text, /\.(?:key|yaml)$/.test(path) ? 0o600 : 0o644);
      await preparePki(config);
    } catch (error) {
      if (fresh) for (const folder of ['pki', 'kubeconfig']) rmSync(joinPath(config.rootDir, folder), { recursive: true, force: true });
      throw error;
    }
  });
  if (!received.etcd.external) {
    await steps.run('Member of etcd', async (note) => {
      config = await addMember(config);
      saveConfig(config);
      ensureSupervisor(config);
      await promoteMember(config, note);
      config = { ...config, etcdPromoted: true };
    });
  }
  await steps.run('Starting apiserver, controller-manager, scheduler, kubelet, proxy', async () => {
    saveConfig(config);
    ensureSupervisor(config);
  });
  await steps.run('Node is Ready', (note) => waitReady(config, note, { timeoutMs: order.timeoutMs, sinceMs: startedMs, forPods: true }));
  return config;
}
