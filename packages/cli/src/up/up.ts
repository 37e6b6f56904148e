import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addressIn, ConfigError, saveConfig, type ClusterConfig } from '../config.ts';
import { checkAddresses } from '../host/address-conflicts.ts';
import { aptInstall } from '../host/apt.ts';
import { engineFacts, startEngine, writeEngineConfiguration, type EngineFacts } from '../host/docker-engine.ts';
import { findProgram, hostKind, missingRequirements } from '../host/requirements.ts';
import { runOk } from '../host/run.ts';
import { ensureClusterPki } from '../pki/cluster-pki.ts';
import { isAlive, readState } from '../supervisor/state.ts';
import { UserError } from '../user-error.ts';
import { nodeReadiness } from './cluster-client.ts';
import type { Steps } from './steps.ts';

/** Looks for what Skiff needs; installs it where it may, else says precisely what is missing. Resolves with a running engine. */
export async function ensureHost(config: { dockerSocket: string }, steps: Steps): Promise<EngineFacts> {
  if (process.platform !== 'linux') {
    throw new UserError('Skiff runs on Linux. On macOS and Windows use `docker compose up`, which runs it inside Docker Desktop.');
  }
  if (process.getuid?.() !== 0)
    throw new UserError('Skiff makes network namespaces and mounts, so it has to be run as root (try: sudo npm run up).');
  const found = await steps.run('Docker Engine, etcd, Redis', async (note) => {
    const engine = await engineFacts(config.dockerSocket);
    const missing = missingRequirements(engine !== undefined);
    note(missing.length === 0 ? await describeVersions(engine) : `missing: ${missing.map((m) => m.program).join(', ')}`);
    return { engine, missing };
  });
  if (found.missing.length > 0) {
    const needed = found.missing.filter((m) => m.optional !== true);
    if (hostKind() === 'debian') {
      const engineMissing = found.missing.some((m) => m.program === 'dockerd');
      await steps.run('Installing from the distribution', async (note) => {
        const packages = found.missing.map((m) => m.debianPackage);
        if (engineMissing) packages.push('cgroupfs-mount', 'ca-certificates');
        note(packages.join(' '));
        await aptInstall(packages);
        if (engineMissing) writeEngineConfiguration();
      });
    } else if (needed.length > 0) {
      throw new UserError(`This host lacks:\n${needed.map((m) => `  - ${m.elsewhere}`).join('\n')}\nPlease install it and run this again.`);
    }
  }
  const engine =
    found.engine ??
    (await steps.run('Starting Docker Engine', async (note) => {
      const facts = await startEngine(config.dockerSocket);
      note(facts.version);
      return facts;
    }));
  if (!engine.liveRestore) {
    steps.line('! This engine runs without live-restore: a restart of dockerd will restart containers. See "live-restore" in the README.');
  }
  return engine;
}

async function describeVersions(engine: EngineFacts | undefined): Promise<string> {
  const etcd = findProgram('etcd');
  const version = etcd === undefined ? '' : (/etcd Version: (\S+)/.exec(await runOk(etcd, ['--version']))?.[1] ?? '');
  return `engine ${engine?.version ?? 'installed, not running'}, etcd ${version}, ${findProgram('redis-server') === undefined ? 'no Redis (Events go to etcd)' : 'Redis'}`;
}

/** Names and addresses that the apiserver's certificate is good for. */
export async function preparePki(config: ClusterConfig, extraNames: readonly string[] = []): Promise<string> {
  const { adminKubeconfig } = await ensureClusterPki({
    rootDir: config.rootDir,
    nodeName: config.nodeName,
    apiserverNames: [
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      `kubernetes.default.svc.${config.clusterDomain}`,
      'localhost',
      config.nodeName,
      ...extraNames,
    ],
    apiserverAddresses: [...new Set(['127.0.0.1', '::1', config.nodeAddress, addressIn(config.serviceCidr, 1)])],
    nodeAddresses: [...new Set(['127.0.0.1', config.nodeAddress])],
    server: `https://127.0.0.1:${config.securePort}`,
    nowMs: Date.now(),
  });
  return adminKubeconfig;
}

function startSupervisor(config: ClusterConfig): void {
  mkdirSync(join(config.rootDir, 'log'), { recursive: true, mode: 0o750 });
  mkdirSync(join(config.rootDir, 'run'), { recursive: true, mode: 0o750 });
  const log = openSync(join(config.rootDir, 'log/supervisor.log'), 'a');
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  spawn(process.execPath, [main, 'supervise', '--root-dir', config.rootDir], { detached: true, stdio: ['ignore', log, log] }).unref();
}

async function waitReady(config: ClusterConfig, note: (text: string) => void, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const { ready, why } = await nodeReadiness(config);
    if (ready) return note(config.nodeName);
    note(why);
    if (Date.now() > deadline)
      throw new UserError(`The node is not Ready after ${timeoutMs / 1000} s: ${why}\n${failingProcesses(config)}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

function failingProcesses(config: ClusterConfig): string {
  const processes = Object.entries(readState(config.rootDir)?.processes ?? {});
  const failing = processes.filter(([, p]) => p.restarts > 0 || p.lastExit !== undefined);
  if (failing.length === 0) return `Logs are in ${join(config.rootDir, 'log')}.`;
  return failing
    .map(([name, p]) => {
      const log = join(config.rootDir, 'log', `${name}.log`);
      const tail = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-5).join('\n    ') : '';
      return `  ${name}: ended with ${p.lastExit ?? 'an error'}, restarted ${p.restarts} times; the end of ${log}:\n    ${tail}`;
    })
    .join('\n');
}

export interface UpResult {
  readonly kubeconfig: string;
  readonly alreadyRunning: boolean;
}

/** The whole of `skiff up`: host, certificates, processes, a Ready node. Safe to repeat. Throws UserError with what to do. */
export async function up(config: ClusterConfig, steps: Steps, o: { timeoutMs: number }): Promise<UpResult> {
  if (!/^[a-z][a-z0-9]{0,9}$/.test(config.instance))
    throw new ConfigError(`--instance takes up to 10 lower-case letters and digits, not "${config.instance}"`);
  await ensureHost(config, steps);
  if (!isAlive(readState(config.rootDir)?.supervisor)) for (const warning of await checkAddresses(config)) steps.line(`! ${warning}`);
  const kubeconfig = await steps.run('Certificates and kubeconfigs', async () => {
    saveConfig(config);
    return preparePki(config);
  });
  const alreadyRunning = isAlive(readState(config.rootDir)?.supervisor);
  await steps.run(
    alreadyRunning ? 'Processes are running' : 'Starting etcd, Redis, apiserver, controller-manager, scheduler, kubelet, proxy',
    async () => {
      if (!alreadyRunning) startSupervisor(config);
    },
  );
  await steps.run('Node is Ready', (note) => waitReady(config, note, o.timeoutMs));
  return { kubeconfig, alreadyRunning };
}
