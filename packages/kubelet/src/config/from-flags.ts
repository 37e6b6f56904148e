import { mkdirSync, realpathSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { quantityValue } from '@skiff/apimachinery';
import { FlagError, type Flags, parseFlags } from '@skiff/component-base';
import { parseThresholds } from '../eviction/signals.ts';
import { kubeletFlags } from '../flags.ts';
import { defaultVni } from '../network/names.ts';
import { planGrace } from '../shutdown/shutdown-plan.ts';
import { readProviderConfig } from '../images/providers/provider-config.ts';
import { verificationPolicy } from '../images/verification-policy.ts';
import { configurationFlags, masked, readConfiguration, renderConfiguration } from './kubelet-configuration.ts';
import { nodeAllocatableOf } from './node-allocatable.ts';
import type { KubeletConfig } from './kubelet-config.ts';

export type KubeletFlags = Flags<typeof kubeletFlags>;

/** `signal<value` or `name=value` entries. */
function parseEntries(name: string, entries: readonly string[], separator: string): Record<string, string> {
  return Object.fromEntries(
    entries
      .filter((e) => e !== '')
      .map((entry) => {
        const at = entry.indexOf(separator);
        if (at <= 0) throw new FlagError(`--${name} takes name${separator}value, not "${entry}"`);
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
  );
}

const parseLabels = (list: readonly string[]): Record<string, string> =>
  Object.fromEntries(list.map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)] as const).filter(([k]) => k !== ''));

function parseTaint(text: string): { key: string; value: string; effect: string } {
  const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(text);
  if (match === null) throw new FlagError(`--register-with-taints takes key=value:effect, not "${text}"`);
  return { key: match[1] ?? '', value: match[2] ?? '', effect: match[3] ?? '' };
}

/** Flags as /flagz shows them: headers may hold secrets. */
export const shownFlags = (flags: KubeletFlags): Readonly<Record<string, unknown>> => ({
  ...flags,
  'manifest-url-header': flags['manifest-url-header'].map((h) => h.replace(/^([^:]*:)?.*$/s, `$1${masked}`)),
});

/** `10Mi` is written in bytes for the engine, whose own units are decimal; what it knows itself stays as it is. */
export const engineSize = (text: string): string => (/^\d+[KMGT]i$/.test(text) ? String(quantityValue(text)) : text);

/** A size as Docker or Kubernetes writes it, in bytes. Throws FlagError. */
export function bytesOf(text: string): number {
  const found = /^(\d+)([kmgt]?)b?$/i.exec(engineSize(text));
  if (found === null) throw new FlagError(`--container-log-max-size takes a size such as 10m or 10Mi, not "${text}"`);
  return Number(found[1]) * 1000 ** ['', 'k', 'm', 'g', 't'].indexOf((found[2] ?? '').toLowerCase());
}

function evictionOf(flags: KubeletFlags): KubeletConfig['eviction'] {
  const hard = flags['eviction-hard'];
  return {
    thresholds: parseThresholds({
      ...(hard === undefined ? {} : { hard: parseEntries('eviction-hard', hard, '<') }),
      soft: parseEntries('eviction-soft', flags['eviction-soft'], '<'),
      softGracePeriod: parseEntries('eviction-soft-grace-period', flags['eviction-soft-grace-period'], '='),
      minimumReclaim: parseEntries('eviction-minimum-reclaim', flags['eviction-minimum-reclaim'], '='),
    }),
    transitionMs: flags['eviction-pressure-transition-period'],
    maxPodGraceSeconds: flags['eviction-max-pod-grace-period'],
  };
}

function imageGarbageOf(flags: KubeletFlags): KubeletConfig['imageGarbage'] {
  const [high, low] = [flags['image-gc-high-threshold'], flags['image-gc-low-threshold']];
  if (high < 0 || high > 100 || low < 0 || low > 100 || (low >= high && high !== 100))
    throw new FlagError(`--image-gc-low-threshold (${low}) must be below --image-gc-high-threshold (${high}), both from 0 to 100`);
  return {
    highShare: high / 100,
    lowShare: low / 100,
    minimumAgeMs: flags['minimum-image-ttl-duration'],
    maximumAgeMs: flags['image-maximum-gc-age'],
  };
}

function staticPodUrlOf(flags: KubeletFlags): KubeletConfig['staticPodUrl'] {
  const { 'manifest-url': url, 'manifest-url-header': given, 'http-check-frequency': intervalMs } = flags;
  if (url === '') return undefined;
  if (!URL.canParse(url) || !/^https?:/.test(url)) throw new FlagError(`--manifest-url takes a URL of http or https, not "${url}"`);
  const headers: Record<string, string[]> = {};
  for (const entry of given.filter((e) => e !== '')) {
    const [, name, value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/.exec(entry) ?? [];
    if (name === undefined) throw new FlagError(`--manifest-url-header takes name:value, not "${entry}"`);
    (headers[name] ??= []).push(value.trim());
  }
  return { url, headers, intervalMs };
}

function imagePullsOf(
  flags: KubeletFlags,
): Pick<KubeletConfig, 'maxParallelPulls' | 'imageVerification' | 'credentialProviders' | 'registryMirrorsFile'> {
  const parallel = flags['max-parallel-image-pulls'];
  if (parallel !== undefined && parallel < 1) throw new FlagError(`--max-parallel-image-pulls must be 1 or more, not ${parallel}`);
  if (flags['serialize-image-pulls'] && parallel !== undefined && parallel > 1)
    throw new FlagError(`--max-parallel-image-pulls (${parallel}) must not be larger than 1 with --serialize-image-pulls`);
  const [file, binDirectory] = [flags['image-credential-provider-config'], flags['image-credential-provider-bin-dir']];
  if ((file === undefined) !== (binDirectory === undefined))
    throw new FlagError('--image-credential-provider-config and --image-credential-provider-bin-dir go together');
  const mirrors = flags['registry-mirrors'];
  if (mirrors !== undefined && flags['container-runtime-endpoint'] !== '')
    throw new FlagError('--registry-mirrors is for Docker Engine; a CRI runtime has a configuration of its own for mirrors');
  return {
    maxParallelPulls: flags['serialize-image-pulls'] ? 1 : (parallel ?? 3),
    imageVerification: verificationPolicy(
      flags['image-pull-credentials-verification-policy'],
      flags['preloaded-images-verification-allowlist'],
    ),
    credentialProviders:
      file === undefined || binDirectory === undefined
        ? { providers: [], binDirectory: '' }
        : { providers: readProviderConfig(file, binDirectory), binDirectory },
    registryMirrorsFile: mirrors ?? path.join(flags['root-dir'], 'registry-mirrors.yaml'),
  };
}

function isLimitedSwap(behavior: string): boolean {
  if (!['', 'NoSwap', 'LimitedSwap'].includes(behavior))
    throw new FlagError(`--memory-swap-behavior must be NoSwap or LimitedSwap, not ${JSON.stringify(behavior)}`);
  return behavior === 'LimitedSwap';
}

/** Throws FlagError for values that don't fit together. */
export function configOf(flags: KubeletFlags): KubeletConfig {
  if (flags['enable-system-log-query'] && !flags['enable-system-log-handler'])
    throw new FlagError('--enable-system-log-query needs --enable-system-log-handler');
  mkdirSync(flags['root-dir'], { recursive: true });
  return {
    nodeName: flags['hostname-override'],
    nodeAddresses: flags['node-ip'].split(','),
    port: flags.port,
    instance: flags.instance,
    // Mount points are known by their real paths.
    rootDirectory: realpathSync(flags['root-dir']),
    clusterDns: flags['cluster-dns'],
    clusterDomain: flags['cluster-domain'],
    resolvConf: flags['resolv-conf'],
    podCidrs: flags['pod-cidr'],
    clusterCidrs: flags['cluster-cidr'],
    vxlan: { port: flags['vxlan-port'], vni: flags['vxlan-vni'] ?? defaultVni(flags['cluster-cidr']) },
    nonMasqueradeCidrs: flags['non-masquerade-cidr'],
    cgroupRoot: flags['cgroup-root'] ?? `/${flags.instance}`,
    maxPods: flags['max-pods'],
    labels: parseLabels(flags['node-labels']),
    taints: flags['register-with-taints'].map(parseTaint),
    seccompDefault: flags['seccomp-default'],
    ...imagePullsOf(flags),
    maxParallelStarts: flags['max-parallel-pod-starts'] ?? os.cpus().length * 2,
    checkIntervalMs: flags['node-status-update-frequency'],
    reportIntervalMs: flags['node-status-report-frequency'],
    leaseDurationSeconds: flags['node-lease-duration-seconds'],
    podLogsDirectory: flags['pod-logs-dir'],
    containerLogsDirectory: flags['container-logs-dir'],
    eviction: evictionOf(flags),
    imageGarbage: imageGarbageOf(flags),
    maxContainerRestartMs: flags['max-container-restart-period'],
    allowedUnsafeSysctls: flags['allowed-unsafe-sysctls'],
    podMaxPids: flags['pod-max-pids'],
    staticPodPath: flags['pod-manifest-path'],
    staticPodUrl: staticPodUrlOf(flags),
    devicePluginDirectory: flags['device-plugin-dir'] ?? path.join(realpathSync(flags['root-dir']), 'device-plugins'),
    shutdownGraces: planGrace({
      totalMs: flags['shutdown-grace-period'],
      criticalMs: flags['shutdown-grace-period-critical-pods'],
      byPriority: Object.entries(
        parseEntries('shutdown-grace-period-by-pod-priority', flags['shutdown-grace-period-by-pod-priority'], '='),
      ).map(([priority, seconds]) => ({ priority: Number(priority), seconds: Number(seconds) })),
    }),
    nodeAllocatable: nodeAllocatableOf({
      enforce: flags['enforce-node-allocatable'],
      systemReserved: parseEntries('system-reserved', flags['system-reserved'], '='),
      kubeReserved: parseEntries('kube-reserved', flags['kube-reserved'], '='),
      systemReservedCgroup: flags['system-reserved-cgroup'],
      kubeReservedCgroup: flags['kube-reserved-cgroup'],
    }),
    limitedSwap: isLimitedSwap(flags['memory-swap-behavior']),
    singleProcessOomKill: flags['single-process-oom-kill'],
  };
}

/** Of --config and --config-dir, which have to be known before the other flags. */
function configPaths(args: readonly string[]): { config: string | undefined; configDir: string | undefined } {
  const { config, 'config-dir': configDir } = parseFlags(
    { config: kubeletFlags.config, 'config-dir': kubeletFlags['config-dir'] },
    args.flatMap((a, i) => (/^--config(-dir)?=/.test(a) ? [a] : /^--config(-dir)?$/.test(a) ? [a, args[i + 1] ?? ''] : [])),
  );
  return { config, configDir };
}

export interface Settings {
  readonly flags: KubeletFlags;
  /** What runs, in the fields of KubeletConfiguration. */
  readonly configuration: object;
  /** Fields of the file that have no effect here. */
  readonly ignored: readonly string[];
}

/** Command line over configuration file over defaults. Throws FlagError. */
export function readSettings(args: readonly string[]): Settings {
  const { config, configDir } = configPaths(args);
  const file = readConfiguration(config, configDir);
  const fromFile = configurationFlags(file, args);
  const flags = parseFlags(kubeletFlags, [...fromFile.args, ...args]);
  return { flags, configuration: renderConfiguration(flags, file), ignored: fromFile.ignored };
}
