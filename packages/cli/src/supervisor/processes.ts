import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addressIn, leaseDurationSeconds, type ClusterConfig } from '../config.ts';
import { kubeletDir, wellKnownKubeletDir } from '../host/kubelet-folder.ts';
import { findProgram } from '../host/requirements.ts';
import { moreNodes } from '../cluster/more-nodes.ts';
import type { KeptData } from './kept-data.ts';
import { etcdClientFlags, etcdProcess, isExternalEtcd } from './etcd-process.ts';

/** One process of the cluster on this host. */
export interface ProcessDefinition {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Seconds between SIGTERM and SIGKILL when it is stopped. */
  readonly stopSeconds: number;
  /** Without it the process is not started a second time. */
  readonly data?: KeptData;
}

/** `packages/` of this checkout or image: the mains lie side by side. */
const packagesDir = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** The bundle of a package where there is one and nothing was built after it; else its plain main. */
export function mainOf(pkg: string): string {
  const plain = join(packagesDir, pkg, 'dist/main.js');
  const bundle = join(packagesDir, pkg, 'dist/bundle/main.js');
  if (!existsSync(bundle)) return plain;
  const builtMs = readdirSync(packagesDir).map(
    (p) => statSync(join(packagesDir, p, 'dist/.tsbuildinfo'), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return statSync(bundle).mtimeMs >= Math.max(...builtMs) ? bundle : plain;
}

const flag = (name: string, value: string | number): string => `--${name}=${value}`;

interface MemoryPlan {
  readonly nodeOptions: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

function nodeProcess(name: string, main: string, flags: readonly string[], memory: MemoryPlan): ProcessDefinition {
  const { nodeOptions, env } = memory;
  return {
    name,
    command: process.execPath,
    args: [...nodeOptions, main, ...flags],
    ...(env === undefined ? {} : { env }),
    stopSeconds: 15,
  };
}

/** One arena of malloc for all threads; large pieces are mapped by themselves, and what is free goes back to the kernel. */
const smallMalloc = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '32768',
  MALLOC_TRIM_THRESHOLD_: '65536',
  MALLOC_TOP_PAD_: '32768',
};
/** Keeps V8's young generation small: these processes idle most of the time, and memory is counted. */
const smallHeap: MemoryPlan = { nodeOptions: ['--max-semi-space-size=2'], env: smallMalloc };
/**
 * What every host runs: smaller still. Garbage is collected by the main thread alone, nothing is compiled that is used a few times, and the
 * optimizing compiler comes for what is really hot (DNS under load, streams), so that an idle process never loads it. Node refuses to start with
 * an option that its V8 does not know: 12 (Node 22) counts invocations instead of a budget.
 */
export const smallNodeOptions = (v8: string): readonly string[] => [
  '--max-semi-space-size=1',
  '--single-threaded-gc',
  '--no-sparkplug',
  ...(Number.parseInt(v8, 10) < 12 ? ['--interrupt-budget=10000000'] : []),
];
const smallNode: MemoryPlan = { nodeOptions: smallNodeOptions(process.versions.v8), env: smallMalloc };

export const kubeconfigPath = (config: ClusterConfig, component: string): string => join(config.rootDir, 'kubeconfig', `${component}.conf`);
/** Further flags that the user wants a process to have: one a line in `<name>.flags`. */
function userFlags(config: ClusterConfig, name: string): readonly string[] {
  const file = join(config.rootDir, `${name}.flags`);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** An EncryptionConfiguration, where Secrets are encrypted. */
export const encryptionFile = (config: ClusterConfig): string => join(config.rootDir, 'pki/encryption-config.yaml');
const healthPort = (config: ClusterConfig, n: number): number => config.healthPortBase + n;
export const redisSocket = (config: ClusterConfig): string => join(config.rootDir, 'run/redis.sock');

/** Each node gets a /24, as upstream's do; a smaller range is cut into sixteen parts. */
const nodeMaskSize = (podCidr: string): number => {
  const length = Number(podCidr.split('/')[1]);
  return length <= 22 ? 24 : Math.min(length + 4, 29);
};

/** Everything that runs on this host, in the order in which it starts; it is stopped in reverse. `redis`: one is there to be used. */
export function clusterProcesses(config: ClusterConfig, o: { redis: boolean }): readonly ProcessDefinition[] {
  const node = [...nodeProcesses(config), ...moreNodes(config).map((other) => moreKubelet(config, other))];
  return config.role === 'node' ? node : [...controlPlaneProcesses(config, o), ...node];
}

/** What runs on this host; Redis where it is wanted and installed. */
export const processesHere = (config: ClusterConfig): readonly ProcessDefinition[] =>
  clusterProcesses(config, { redis: config.redis && findProgram('redis-server') !== undefined });

function controlPlaneProcesses(config: ClusterConfig, o: { redis: boolean }): readonly ProcessDefinition[] {
  const pki = (name: string): string => join(config.rootDir, 'pki', name);
  return [
    ...(isExternalEtcd(config) ? [] : [etcdProcess(config)]),
    ...(!o.redis
      ? []
      : [
          {
            name: 'redis',
            command: findProgram('redis-server') ?? 'redis-server',
            args: [
              '--port',
              '0',
              '--unixsocket',
              redisSocket(config),
              '--unixsocketperm',
              '600',
              '--save',
              '',
              '--appendonly',
              'no',
              '--maxmemory-policy',
              'noeviction',
              '--daemonize',
              'no',
              '--logfile',
              '',
            ],
            stopSeconds: 5,
          },
        ]),
    nodeProcess(
      'apiserver',
      mainOf('apiserver'),
      [
        flag('secure-port', config.securePort),
        flag('advertise-address', config.nodeAddress),
        ...etcdClientFlags(config),
        ...(!o.redis ? [] : [flag('redis-url', `unix://${redisSocket(config)}`)]),
        flag('client-ca-file', pki('ca.crt')),
        flag('tls-cert-file', pki('apiserver.crt')),
        flag('tls-private-key-file', pki('apiserver.key')),
        flag('kubelet-client-certificate', pki('apiserver-kubelet-client.crt')),
        flag('kubelet-client-key', pki('apiserver-kubelet-client.key')),
        flag('kubelet-certificate-authority', pki('ca.crt')),
        flag('service-account-key-file', pki('sa.pub')),
        flag('service-account-signing-key-file', pki('sa.key')),
        flag('service-account-issuer', `https://kubernetes.default.svc.${config.clusterDomain}`),
        flag('service-cluster-ip-range', config.serviceCidr),
        flag('authorization-mode', 'Node,RBAC'),
        flag('default-not-ready-toleration-seconds', config.defaultTolerationSeconds),
        flag('default-unreachable-toleration-seconds', config.defaultTolerationSeconds),
        flag('proxy-client-cert-file', pki('front-proxy-client.crt')),
        flag('proxy-client-key-file', pki('front-proxy-client.key')),
        flag('requestheader-client-ca-file', pki('front-proxy-ca.crt')),
        flag('requestheader-allowed-names', 'front-proxy-client'),
        flag('component-health', `controller-manager=http://127.0.0.1:${healthPort(config, 1)}/healthz`),
        flag('component-health', `scheduler=http://127.0.0.1:${healthPort(config, 2)}/healthz`),
        ...(existsSync(encryptionFile(config))
          ? [flag('encryption-provider-config', encryptionFile(config)), '--encryption-provider-config-automatic-reload']
          : []),
        ...userFlags(config, 'apiserver'),
      ],
      { nodeOptions: ['--max-http-header-size=1048576'] },
    ),
    nodeProcess(
      'controller-manager',
      mainOf('controller-manager'),
      [
        flag('kubeconfig', kubeconfigPath(config, 'controller-manager')),
        flag('cluster-cidr', config.podCidr),
        flag('node-cidr-mask-size', nodeMaskSize(config.podCidr)),
        flag('service-cluster-ip-range', config.serviceCidr),
        ...(config.loadBalancerCidr === '' ? [] : [flag('load-balancer-cidr', config.loadBalancerCidr)]),
        flag('node-monitor-grace-period', config.nodeMonitorGracePeriod),
        flag('node-removal-after', config.nodeRemovalAfter),
        // As often as the Leases are renewed when these are quicker than usual.
        flag('node-monitor-period', `${Math.min(5, leaseDurationSeconds(config.nodeMonitorGracePeriod) / 4)}s`),
        flag('root-ca-file', pki('ca.crt')),
        flag('service-account-private-key-file', pki('sa.key')),
        flag('cluster-signing-cert-file', pki('ca.crt')),
        flag('cluster-signing-key-file', pki('ca.key')),
        flag('cluster-signing-duration', `${Math.round(config.certificateLifetimeMs / 1000)}s`),
        flag('leader-elect-identity', config.nodeName),
        flag('secure-port', healthPort(config, 1)),
      ],
      smallHeap,
    ),
    nodeProcess(
      'scheduler',
      mainOf('scheduler'),
      [
        flag('kubeconfig', kubeconfigPath(config, 'scheduler')),
        flag('leader-elect-identity', config.nodeName),
        flag('secure-port', healthPort(config, 2)),
      ],
      smallHeap,
    ),
  ];
}

export const defaultInstance = 'skiff';
/** Where vendors' device plugins look for a kubelet. */
export const devicePluginDirectory = join(wellKnownKubeletDir, 'device-plugins');
const credentialProviders = (config: ClusterConfig, name: string): string => join(config.rootDir, 'credential-providers', name);
const kubeletConfigDir = (config: ClusterConfig): string => join(config.rootDir, 'kubelet.conf.d');

/** A further node of this host: nothing but a kubelet, which asks the host's proxy. */
const moreKubelet = (host: ClusterConfig, config: ClusterConfig): ProcessDefinition =>
  nodeProcess(
    `kubelet-${config.nodeName.slice(host.nodeName.length + 1)}`,
    mainOf('kubelet'),
    [
      ...kubeletFlags(config),
      // Of flags that are given twice the last counts.
      flag('network-kubeconfig', kubeconfigPath(host, 'proxy')),
      flag('client-ca-file', join(host.rootDir, 'pki/ca.crt')),
      flag('proxy-control-socket', join(host.rootDir, 'proxy/control.sock')),
    ],
    smallNode,
  );

function kubeletFlags(config: ClusterConfig): readonly string[] {
  const dns = addressIn(config.serviceCidr, 10);
  return [
    flag('kubeconfig', kubeconfigPath(config, 'kubelet')),
    flag('root-dir', kubeletDir(config)),
    flag('instance', config.instance),
    flag('hostname-override', config.nodeName),
    flag('node-ip', config.nodeAddress),
    flag('port', config.kubeletPort),
    flag('healthz-port', healthPort(config, 0)),
    flag('cluster-dns', dns),
    flag('cluster-domain', config.clusterDomain),
    flag('docker-socket', config.dockerSocket),
    ...(config.containerRuntimeEndpoint === '' ? [] : [flag('container-runtime-endpoint', config.containerRuntimeEndpoint)]),
    flag('cluster-cidr', config.podCidr),
    flag('non-masquerade-cidr', config.serviceCidr),
    flag('network-kubeconfig', kubeconfigPath(config, 'proxy')),
    flag('client-ca-file', join(config.rootDir, 'pki/ca.crt')),
    flag('cert-dir', join(config.rootDir, 'pki')),
    '--rotate-certificates',
    '--rotate-server-certificates',
    flag('proxy-control-socket', join(config.rootDir, 'proxy/control.sock')),
    flag('node-lease-duration-seconds', leaseDurationSeconds(config.nodeMonitorGracePeriod)),
    // Where device plugins look for a kubelet; other instances on the machine have a place of their own.
    ...(config.instance === defaultInstance ? [flag('device-plugin-dir', devicePluginDirectory)] : []),
    // Whoever wants other thresholds, limits or reservations puts KubeletConfiguration files there.
    ...(existsSync(kubeletConfigDir(config)) ? [flag('config-dir', kubeletConfigDir(config))] : []),
    // Programs that know credentials of registries, and their configuration.
    ...(existsSync(credentialProviders(config, 'config.yaml'))
      ? [
          flag('image-credential-provider-config', credentialProviders(config, 'config.yaml')),
          flag('image-credential-provider-bin-dir', credentialProviders(config, 'bin')),
        ]
      : []),
  ];
}

/** What every host of a cluster runs. */
function nodeProcesses(config: ClusterConfig): readonly ProcessDefinition[] {
  const dns = addressIn(config.serviceCidr, 10);
  return [
    nodeProcess('kubelet', mainOf('kubelet'), kubeletFlags(config), smallNode),
    nodeProcess(
      'proxy',
      mainOf('proxy'),
      [
        flag('kubeconfig', kubeconfigPath(config, 'proxy')),
        flag('root-dir', join(config.rootDir, 'proxy')),
        flag('instance', config.instance),
        flag('node-name', config.nodeName),
        flag('service-cluster-ip-range', config.serviceCidr),
        flag('cluster-cidr', config.podCidr),
        flag('shadow-cidr', config.shadowCidr),
        flag('cluster-dns', dns),
        flag('cluster-domain', config.clusterDomain),
        flag('healthz-port', healthPort(config, 3)),
        flag('liveness-port', healthPort(config, 6)),
      ],
      smallNode,
    ),
  ];
}
