import { copyFileSync, mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createLogger, parseDuration, processSignal, systemClock } from '@skiff/component-base';
import { Command, Option } from 'commander';
import { checkNodeTimes, ConfigError, defaultConfig, loadConfig, saveConfig, type ClusterConfig } from './config.ts';
import { addCriCommand } from './cri/cri-command.ts';
import { apiRequest, hostAccess } from './cluster/api-request.ts';
import { ensureHost } from './host/ensure-host.ts';
import { checkForContainers, isTaken, kubeletDir, wellKnownKubeletDir } from './host/kubelet-folder.ts';
import { CommandFailed } from './host/run.ts';
import { addJoinCommand } from './join/join-command.ts';
import { runComponent } from './run-component.ts';
import { status } from './status.ts';
import { defaultInstance, processesHere } from './supervisor/processes.ts';
import { addLeaveCommand } from './leave/leave-command.ts';
import { addBackupCommands } from './backup/backup-command.ts';
import { addMembersCommand } from './control-plane/members-command.ts';
import { addTokenCommand } from './token/token-command.ts';
import { printable } from './up/printable.ts';
import { createSteps } from './up/steps.ts';
import { preparePki } from './pki/prepare-pki.ts';
import { up } from './up/up.ts';
import { UserError } from './user-error.ts';

const defaults = defaultConfig();
const steps = createSteps(process.stdout, () => Date.now());

type OptionRow = readonly [string, keyof ClusterConfig, string, 'number' | 'string' | 'duration' | 'file'];

/** Options of every host; each overrides what an earlier `up` stored. */
const hostOptions: readonly OptionRow[] = [
  ['--instance <name>', 'instance', 'name of this cluster on the host; interfaces, namespaces and labels carry it', 'string'],
  ['--node-name <name>', 'nodeName', 'name of the node', 'string'],
  ['--node-address <ip>', 'nodeAddress', 'address of this host that pods and other hosts reach', 'string'],
  ['--kubelet-port <port>', 'kubeletPort', 'port of the kubelet', 'number'],
  ['--health-port-base <port>', 'healthPortBase', 'first of four loopback ports for health and metrics', 'number'],
  ['--docker-socket <path>', 'dockerSocket', 'socket of Docker Engine', 'string'],
  [
    '--container-runtime-endpoint <url>',
    'containerRuntimeEndpoint',
    'run pods on a CRI runtime instead of Docker Engine: unix:///run/containerd/containerd.sock',
    'string',
  ],
];

/** Options that make a cluster its own. */
const clusterOptions: readonly OptionRow[] = [
  ...hostOptions,
  ['--nodes <number>', 'nodes', 'nodes on this host, for trying things out: further ones share the engine and the address', 'number'],
  ['--secure-port <port>', 'securePort', 'port of the apiserver', 'number'],
  ['--etcd-client-port <port>', 'etcdClientPort', 'loopback port of etcd for clients', 'number'],
  ['--etcd-peer-port <port>', 'etcdPeerPort', 'loopback port of etcd for peers', 'number'],
  ['--backup-interval <duration>', 'backupInterval', 'take a backup this often, such as 6h; none: never', 'string'],
  ['--backup-retention <number>', 'backupRetention', 'how many of these backups are kept', 'number'],
  ['--backup-dir <path>', 'backupDir', 'where they go; default: backups/ in the folder that holds all state', 'string'],
  ['--etcd-servers <urls>', 'etcdServers', 'URLs of an etcd that is there already, with commas; none: Skiff runs one', 'string'],
  ['--etcd-cafile <path>', 'etcdCaFile', 'CA of that etcd', 'file'],
  ['--etcd-certfile <path>', 'etcdCertFile', 'client certificate for it', 'file'],
  ['--etcd-keyfile <path>', 'etcdKeyFile', 'key of that certificate', 'file'],
  ['--service-cidr <cidr>', 'serviceCidr', 'range of ClusterIPs', 'string'],
  ['--pod-cidr <cidr>', 'podCidr', 'range of pod addresses', 'string'],
  ['--shadow-cidr <cidr>', 'shadowCidr', 'range used inside the services namespace; as large as the pods’', 'string'],
  [
    '--certificate-lifetime <duration>',
    'certificateLifetimeMs',
    'how long certificates last; they are renewed at 70 to 90 % of it (default: 8760h)',
    'duration',
  ],
  [
    '--load-balancer-cidr <ranges>',
    'loadBalancerCidr',
    'addresses on the hosts’ segment for Services of type LoadBalancer: CIDRs or ranges a-b, with commas; none: the nodes’ own',
    'string',
  ],
  ['--node-monitor-grace-period <duration>', 'nodeMonitorGracePeriod', 'how long a node may be silent before it counts as lost', 'string'],
  ['--node-removal-after <duration>', 'nodeRemovalAfter', 'delete nodes whose hosts have been silent for so long; 0: none', 'string'],
  [
    '--default-toleration-seconds <seconds>',
    'defaultTolerationSeconds',
    'how long pods that say nothing about it stay on a lost node before others take their place',
    'string',
  ],
];

function parseLifetime(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 30_000) throw new ConfigError(`--certificate-lifetime takes a duration of 30s or more, not "${text}"`);
  return ms;
}

/** Throws UserError for backups that could not be kept. */
function checkBackups(config: ClusterConfig): void {
  const intervalMs = config.backupInterval === '' ? 0 : parseDuration(config.backupInterval);
  if (intervalMs === undefined || (intervalMs !== 0 && intervalMs < 10_000))
    throw new UserError(`--backup-interval takes a duration of 10s or more, not "${config.backupInterval}".`, 'usage');
  if (!Number.isInteger(config.backupRetention) || config.backupRetention < 1)
    throw new UserError('--backup-retention takes a number, 1 or more.', 'usage');
  if (config.backupDir !== '' && !config.backupDir.startsWith('/')) throw new UserError('--backup-dir takes an absolute path.', 'usage');
}

/** Throws UserError for what an etcd of one's own can't be reached with. */
function checkExternalEtcd(config: ClusterConfig): void {
  if (config.etcdServers === '') return;
  const wrong = config.etcdServers.split(',').find((url) => !/^https?:\/\/[^\s/]+:\d+$/.test(url));
  if (wrong !== undefined)
    throw new UserError(`--etcd-servers takes URLs such as https://10.0.0.5:2379, with commas, not "${wrong}".`, 'usage');
  if ((config.etcdCertFile === '') !== (config.etcdKeyFile === ''))
    throw new UserError('--etcd-certfile and --etcd-keyfile go together.', 'usage');
  if (config.etcdCertFile !== '' && config.etcdCaFile === '')
    throw new UserError('--etcd-certfile needs --etcd-cafile: whom the certificate may be shown.', 'usage');
  const absent = [config.etcdCaFile, config.etcdCertFile, config.etcdKeyFile].find(
    (file) => file !== '' && statSync(file, { throwIfNoEntry: false })?.isFile() !== true,
  );
  if (absent !== undefined) throw new UserError(`There is no file ${absent}, which is wanted for --etcd-servers.`, 'usage');
}

function optionValue(text: string, type: OptionRow[3]): string | number {
  if (type === 'number') return Number(text);
  if (type === 'duration') return parseLifetime(text);
  // Empty takes back what was stored.
  return type === 'file' && text !== '' ? resolve(text) : text;
}

function configFrom(options: Record<string, unknown>): ClusterConfig {
  const rootDir = options['rootDir'] as string;
  const config: Record<string, unknown> = { ...(loadConfig(rootDir) ?? { ...defaults, rootDir }) };
  for (const [flags, key, help, type] of clusterOptions) {
    const value = options[new Option(flags, help).attributeName()];
    if (value === undefined) continue;
    config[key] = optionValue(value as string, type);
  }
  if (options['redis'] === false) config['redis'] = false;
  if (options['nodeAddress'] !== undefined) config['nodeAddressGiven'] = true;
  const made = config as unknown as ClusterConfig;
  checkNodeTimes(made);
  return made;
}

/** As `configFrom`, for a host whose kubelet runs as a process and not in a container that sees rootDir alone. */
function hostConfigFrom(options: Record<string, unknown>): ClusterConfig {
  const config = configFrom(options);
  const isKnown = loadConfig(config.rootDir) !== undefined;
  if (isKnown || config.instance !== defaultInstance || config.rootDir !== defaults.rootDir) return config;
  if (!isTaken(wellKnownKubeletDir)) return { ...config, kubeletDir: wellKnownKubeletDir };
  steps.line(
    `! ${wellKnownKubeletDir} is a link or has files of another kubelet; this one uses ${kubeletDir(config)}, which storage drivers must be told.`,
  );
  return config;
}

// Commands load what they need when they run: each start counts.
const program = new Command('skiff').description('A small Kubernetes-compatible orchestrator that runs real containers on Docker Engine');
const withRoot = (c: Command): Command => c.option('--root-dir <path>', 'folder that holds all state', defaults.rootDir);

const upCommand = withRoot(program.command('up').description('start a cluster on this host, or find it running'))
  .option('--no-redis', 'keep Events in etcd')
  .option('--encrypt-secrets', 'encrypt Secrets in etcd, those that are there too, with a key kept beside the certificates')
  .option('--timeout <seconds>', 'how long to wait for the node to be Ready', '120');
for (const [flags, , help] of clusterOptions) upCommand.addOption(new Option(flags, help));
upCommand.action(async (options: Record<string, unknown>) => {
  const started = Date.now();
  const known = loadConfig(options['rootDir'] as string);
  if (known?.role === 'node') {
    // A host that has joined comes back by the same command as any other.
    const { rejoin } = await import('./join/rejoin.ts');
    await rejoin(known, steps, { timeoutMs: Number(options['timeout']) * 1000 });
    steps.line(`\nNode ${known.nodeName} is up (${((Date.now() - started) / 1000).toFixed(1)} s).`);
    return;
  }
  const config = hostConfigFrom(options);
  checkExternalEtcd(config);
  checkBackups(config);
  const result = await up(config, steps, {
    timeoutMs: Number(options['timeout']) * 1000,
    encryptSecrets: options['encryptSecrets'] === true,
  });
  steps.line();
  steps.line(`Skiff is up (${((Date.now() - started) / 1000).toFixed(1)} s). The kubeconfig is ${result.kubeconfig}`);
  steps.line('Next:');
  steps.line(`  export KUBECONFIG=${result.kubeconfig}`);
  steps.line('  kubectl get nodes,pods -A');
  steps.line('  npm run demo');
});

addJoinCommand(program, {
  defaultRootDir: defaults.rootDir,
  steps,
  options: hostOptions.map(([flags, , help]) => new Option(flags.replace('--node-address', '--node-ip, --node-address'), help)),
  configFrom: hostConfigFrom,
});
addLeaveCommand(program, { defaultRootDir: defaults.rootDir, steps });
addTokenCommand(program, { defaultRootDir: defaults.rootDir, steps, progress: createSteps(process.stderr, () => Date.now()) });
addBackupCommands(program, { defaultRootDir: defaults.rootDir, steps });
addCriCommand(program, { dockerSocket: defaults.dockerSocket });
addMembersCommand(program, { defaultRootDir: defaults.rootDir, steps });

withRoot(program.command('down').description('stop the cluster; containers go on running unless asked otherwise'))
  .option('--workloads', 'remove the containers of all pods as well')
  .option('--wipe', 'remove containers, network, and all state: nothing is left')
  .action(async (options: { rootDir: string; workloads?: boolean; wipe?: boolean }) => {
    const { down } = await import('./down/down.ts');
    await down(options.rootDir, steps, { workloads: options.workloads === true || options.wipe === true, wipe: options.wipe === true });
  });

withRoot(program.command('status').description('what runs on this host')).action(async (options: { rootDir: string }) => {
  process.exitCode = (await status(options.rootDir, steps)) ? 0 : 1;
});

program
  .command('setup')
  .description('install and start what a host needs (Docker Engine, etcd, Redis), and nothing else')
  .action(async () => {
    await ensureHost(defaults, steps);
  });

withRoot(
  program.command('demo').description('a small application in three tiers: Services, scaling, a rolling update under load, self-healing'),
)
  .option('--remove', 'remove it at the end')
  .action(async (options: { rootDir: string; remove?: boolean }) => {
    const config = loadConfig(options.rootDir);
    if (config === undefined) throw new UserError(`There is no cluster in ${options.rootDir}; start one with: npm run up`);
    // Loaded here: the other commands start faster without a client.
    const { demo } = await import('./demo/demo.ts');
    await demo(config, steps, { keep: options.remove !== true });
  });

const pkiCommand = withRoot(program.command('pki').description('make certificates and kubeconfigs, and nothing else')).option(
  '--name <names...>',
  'further names of the apiserver',
);
for (const [flags, , help] of clusterOptions) pkiCommand.addOption(new Option(flags, help));
pkiCommand.option('--export-kubeconfig <path>', 'copy of the administrator’s kubeconfig');
pkiCommand.action(async (options: Record<string, unknown>) => {
  const config = configFrom(options);
  checkForContainers(config);
  saveConfig(config);
  mkdirSync(join(config.rootDir, 'run'), { recursive: true });
  const kubeconfig = await preparePki(config, (options['name'] as string[] | undefined) ?? []);
  const copy = options['exportKubeconfig'] as string | undefined;
  if (copy !== undefined) copyFileSync(kubeconfig, copy);
  steps.line(copy ?? kubeconfig);
});

withRoot(program.command('run').description('run one process of the cluster in the foreground').argument('<process>')).action(
  async (name: string, options: { rootDir: string }) => {
    process.exitCode = await runComponent(options.rootDir, name);
  },
);

withRoot(program.command('healthy').description('succeed when the apiserver is ready')).action(async (options: { rootDir: string }) => {
  const config = loadConfig(options.rootDir);
  const answer =
    config === undefined ? undefined : await apiRequest(hostAccess(config), { path: '/readyz', timeoutMs: 3_000 }).catch(() => undefined);
  process.exitCode = answer?.code === 200 ? 0 : 1;
});

withRoot(program.command('supervise', { hidden: true })).action(async (options: { rootDir: string }) => {
  const config = loadConfig(options.rootDir);
  if (config === undefined) throw new UserError(`there is no cluster in ${options.rootDir}`);
  const { createSupervisor } = await import('./supervisor/supervisor.ts');
  const log = createLogger('supervisor');
  const supervisor = createSupervisor({ rootDir: config.rootDir, processes: processesHere(config) }, { clock: systemClock, log });
  const signal = processSignal();
  const { keepCertificates } = await import('./supervisor/keep-certificates.ts');
  const { keepBackups } = await import('./backup/keep-backups.ts');
  await Promise.all([
    supervisor.run(signal),
    keepCertificates(config, { supervisor, clock: systemClock, log }, signal),
    keepBackups(config, { clock: systemClock, log }, signal),
  ]);
});

// Who reads the output may have seen enough (`skiff status | head`): that is no failure.
for (const output of [process.stdout, process.stderr])
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof UserError || error instanceof ConfigError || error instanceof CommandFailed)) throw error;
  process.stderr.write(`\n${printable(error.message)}\n`);
  process.exitCode = error instanceof UserError ? error.exitCode : 1;
}
