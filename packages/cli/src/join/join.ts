import { existsSync, rmSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { writeCertificateFile } from '@skiff/component-base';
import { apiRequest, type ApiAccess, messageOf } from '../cluster/api-request.ts';
import { kubernetesVersion, parseSettings, settingsMap, type ClusterSettings } from '../cluster/cluster-settings.ts';
import { ConfigError, configPath, loadConfig, saveConfig, type ClusterConfig } from '../config.ts';
import { checkAddresses } from '../host/address-conflicts.ts';
import { ensureHost } from '../host/ensure-host.ts';
import { kubeletClientFile, proxyClientFile } from '../pki/cluster-pki.ts';
import { writeFile } from '../pki/kubeconfig.ts';
import type { TokenParts } from '../token/bootstrap-token.ts';
import { ensureSupervisor, waitReady } from '../up/start-host.ts';
import type { Steps } from '../up/steps.ts';
import { UserError } from '../user-error.ts';
import { checkClock, checkNodeName, checkPortFree, checkVersionSkew } from './checks.ts';
import { discoverCluster, type DiscoveredCluster, type Endpoint } from './discover.ts';
import { nodeIdentity, proxyIdentity, writeNodeKubeconfig } from './node-kubeconfigs.ts';

export interface JoinOrder {
  readonly endpoint: Endpoint;
  readonly token: TokenParts;
  /** Hashes of acceptable CAs; none: whoever knows the token is believed. */
  readonly pins: readonly string[];
  /** What is given on the command line; the rest is learned. */
  readonly config: ClusterConfig;
  /** The address was not given: the one that the server sees is taken. */
  readonly chooseAddress: boolean;
  readonly timeoutMs: number;
}

/** A token that was made a moment ago is signed with soon. */
const signatureWaitMs = 3_000;
const certificateTimeoutMs = 30_000;

/** Reads with the token what the cluster's hosts agree on, and that this one fits in. Throws UserError. */
async function readSettings(access: ApiAccess, nodeName: string): Promise<ClusterSettings> {
  const ask = async (path: string): Promise<{ code: number; body: string }> => {
    const answer = await apiRequest(access, { path });
    if (answer.code === 401)
      throw new UserError('The apiserver does not accept the token: it has expired or must not be used for authentication.', 'refused');
    if (answer.code !== 200 && answer.code !== 404)
      throw new UserError(`The token is not good for joining: ${messageOf(answer)}`, 'refused');
    return answer;
  };
  const [version, settings, node] = await Promise.all([
    ask('/version'),
    ask(`/api/v1/namespaces/${settingsMap.namespace}/configmaps/${settingsMap.name}`),
    ask(`/api/v1/nodes/${nodeName}`),
  ]);
  checkVersionSkew(kubernetesVersion, (JSON.parse(version.body) as { gitVersion?: string }).gitVersion ?? '');
  if (settings.code === 404)
    throw new UserError('The cluster has no ConfigMap kube-system/skiff-config; run there: skiff token create', 'refused');
  if (node.code === 200) {
    const { status } = JSON.parse(node.body) as { status?: { conditions?: { type: string; status: string }[] } };
    if (status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True')) {
      throw new UserError(
        `The cluster has a node "${nodeName}" already, and it is Ready. Give this host another name with --node-name, or delete that one first: kubectl delete node ${nodeName}`,
        'conflict',
      );
    }
  }
  return parseSettings((JSON.parse(settings.body) as { data?: Record<string, string> }).data ?? {});
}

/** Gets the certificates with which kubelet and proxy of this host are known; keys are made here and stay here. */
async function obtainCredentials(config: ClusterConfig, cluster: DiscoveredCluster, token: TokenParts): Promise<void> {
  // Loaded here: a client takes a while.
  const { clientSigner, createClient, kubeletClientSigner, loadKubeconfig, requestCertificate } = await import('@skiff/client');
  const pki = (name: string): string => joinPath(config.rootDir, 'pki', name);
  const wait = { signal: new AbortController().signal, timeoutMs: certificateTimeoutMs };
  const trust = { servers: cluster.servers, certificateAuthority: { pem: cluster.ca } };

  const withToken = createClient({ ...trust, token: `${token.id}.${token.secret}`, userAgent: 'skiff' });
  const node = { signerName: kubeletClientSigner, identity: nodeIdentity(config.nodeName) };
  writeCertificateFile(pki(kubeletClientFile), await requestCertificate(node, { client: withToken, ...wait }));
  withToken.close();
  writeFile(pki('ca.crt'), cluster.ca, 0o644);

  const asNode = createClient(loadKubeconfig(writeNodeKubeconfig(config, cluster.ca, 'kubelet'), { userAgent: 'skiff' }));
  const proxy = { signerName: clientSigner, identity: proxyIdentity };
  writeCertificateFile(pki(proxyClientFile), await requestCertificate(proxy, { client: asNode, ...wait }));
  asNode.close();
  writeNodeKubeconfig(config, cluster.ca, 'proxy');
}

function checkFree(config: ClusterConfig): void {
  if (loadConfig(config.rootDir) === undefined) return;
  throw new UserError(
    `This host is in a cluster already (${configPath(config.rootDir)}). \`skiff leave\` takes it out; \`skiff join\` without arguments starts it again.`,
    'conflict',
  );
}

export interface ProvedCluster {
  readonly cluster: DiscoveredCluster;
  readonly settings: ClusterSettings;
  /** With the token. */
  readonly access: ApiAccess;
  readonly nodeAddress: string;
}

/** The part that every way of joining begins with: this host is fit and free, the cluster proves itself and takes the token. Throws UserError. */
export async function proveCluster(order: JoinOrder, steps: Steps): Promise<ProvedCluster> {
  if (!/^[a-z][a-z0-9]{0,9}$/.test(order.config.instance))
    throw new ConfigError(`--instance takes up to 10 lower-case letters and digits, not "${order.config.instance}"`);
  checkNodeName(order.config.nodeName);
  if (process.getuid?.() !== 0)
    throw new UserError('Skiff makes network namespaces and mounts, so it has to be run as root (try it with sudo).', 'usage');
  checkFree(order.config);
  await checkPortFree(order.config.kubeletPort);
  return await steps.run('The cluster is who it says', async (note) => {
    const found = await discoverCluster(order.endpoint, order.token, { pins: order.pins, signatureWaitMs });
    note(found.servers[0]?.replace('https://', '') ?? '');
    checkClock(found.clockAheadMs);
    const access = { servers: found.servers, ca: found.ca, token: `${order.token.id}.${order.token.secret}` };
    const settings = await readSettings(access, order.config.nodeName);
    return { cluster: found, settings, access, nodeAddress: order.chooseAddress ? found.localAddress : order.config.nodeAddress };
  });
}

/** The whole of `skiff join`: proves the cluster, gets certificates, starts kubelet and proxy, waits for a Ready node. Throws UserError. */
export async function join(order: JoinOrder, steps: Steps): Promise<ClusterConfig> {
  const { cluster, settings, nodeAddress } = await proveCluster(order, steps);
  const config: ClusterConfig = {
    ...order.config,
    ...settings,
    role: 'node',
    servers: cluster.servers,
    nodeAddress,
  };
  await ensureHost(config, steps);
  for (const warning of await checkAddresses(config)) steps.line(`! ${warning}`);
  await steps.run('Certificates of kubelet and proxy', async () => {
    const fresh = !existsSync(joinPath(config.rootDir, 'pki'));
    try {
      await obtainCredentials(config, cluster, order.token);
    } catch (error) {
      if (fresh) for (const folder of ['pki', 'kubeconfig']) rmSync(joinPath(config.rootDir, folder), { recursive: true, force: true });
      throw new UserError(`No certificate was issued: ${error instanceof Error ? error.message : String(error)}`, 'refused');
    }
    saveConfig(config);
  });
  await startNode(config, steps, order.timeoutMs);
  return config;
}

/** Starts kubelet and proxy and waits until the control plane sees a Ready node, and pods may come. */
export async function startNode(config: ClusterConfig, steps: Steps, timeoutMs: number): Promise<void> {
  const startedMs = Date.now();
  let isRunning = false;
  await steps.run('Starting kubelet and proxy', async (note) => {
    isRunning = ensureSupervisor(config);
    if (isRunning) note('they run already');
  });
  await steps.run('Node is Ready', (note) => waitReady(config, note, { timeoutMs, sinceMs: isRunning ? 0 : startedMs, forPods: true }));
}
