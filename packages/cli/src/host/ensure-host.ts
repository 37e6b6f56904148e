import type { ClusterConfig } from '../config.ts';
import { isExternalEtcd } from '../supervisor/etcd-process.ts';
import type { Steps } from '../up/steps.ts';
import { UserError } from '../user-error.ts';
import { aptInstall } from './apt.ts';
import { engineFacts, startEngine, writeEngineConfiguration } from './docker-engine.ts';
import { checkRuntimeEndpoint } from './remote-runtime.ts';
import { findProgram, hostKind, missingRequirements } from './requirements.ts';
import { runOk } from './run.ts';

type HostNeeds = Pick<ClusterConfig, 'dockerSocket' | 'role' | 'containerRuntimeEndpoint' | 'etcdServers'>;

/**
 * Looks for what Skiff needs; installs it where it may, else says precisely what is missing. An engine runs afterwards, unless the
 * host's pods run on another runtime, which has to be there.
 */
export async function ensureHost(config: HostNeeds, steps: Steps): Promise<void> {
  const withEngine = config.containerRuntimeEndpoint === '';
  if (process.platform !== 'linux') {
    throw new UserError('Skiff runs on Linux. On macOS and Windows use `docker compose up`, which runs it inside Docker Desktop.');
  }
  if (process.getuid?.() !== 0)
    throw new UserError('Skiff makes network namespaces and mounts, so it has to be run as root (try it with sudo).', 'usage');
  if (!withEngine) checkRuntimeEndpoint(config);
  const runtime = withEngine ? 'Docker Engine' : config.containerRuntimeEndpoint;
  const hasEtcd = isExternalEtcd(config);
  const title = [runtime, ...(config.role === 'node' ? [] : hasEtcd ? ['Redis'] : ['etcd', 'Redis'])].join(', ');
  const found = await steps.run(title, async (note) => {
    const engine = withEngine ? await engineFacts(config.dockerSocket) : undefined;
    const missing = missingRequirements({ hasEngine: engine !== undefined || !withEngine, hasEtcd, role: config.role });
    const engineVersion = withEngine ? (engine?.version ?? 'installed, not running') : undefined;
    note(missing.length === 0 ? await describeVersions(engineVersion, config) : `missing: ${missing.map((m) => m.program).join(', ')}`);
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
        await aptInstall(packages, note);
        if (engineMissing) writeEngineConfiguration();
      });
    } else if (needed.length > 0) {
      throw new UserError(`This host lacks:\n${needed.map((m) => `  - ${m.elsewhere}`).join('\n')}\nPlease install it and run this again.`);
    }
  }
  if (!withEngine) return;
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
}

/** `engine`: its version; undefined where pods don't run on one. */
async function describeVersions(engine: string | undefined, config: HostNeeds): Promise<string> {
  if (config.role === 'node') return engine ?? 'it is there';
  const redis = findProgram('redis-server') === undefined ? 'no Redis (Events go to etcd)' : 'Redis';
  return [
    ...(engine === undefined ? [] : [`engine ${engine}`]),
    isExternalEtcd(config) ? 'an etcd of your own' : `etcd ${await etcdVersion()}`,
    redis,
  ].join(', ');
}

async function etcdVersion(): Promise<string> {
  const etcd = findProgram('etcd');
  return etcd === undefined ? '' : (/etcd Version: (\S+)/.exec(await runOk(etcd, ['--version']))?.[1] ?? '');
}
