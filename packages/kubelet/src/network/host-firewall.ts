import { writeFile, readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Logger } from '@skiff/component-base';
import type { RunCommand } from '../host/run-command.ts';
import { type NetworkNames, serviceLinkPrefix } from './names.ts';

export interface FirewallConfig {
  readonly names: NetworkNames;
  readonly podCidr: string;
  /** Destinations that see pods' own addresses: the cluster's ranges. */
  readonly nonMasqueradeCidrs: readonly string[];
}

interface Plan {
  readonly filter: Readonly<Record<string, readonly string[]>>;
  readonly nat: Readonly<Record<string, readonly string[]>>;
}

/** All rules that the kubelet owns: accept on its links (hosts often drop by default) and one masquerade for pods to outside. */
export function renderFirewall({ names, podCidr, nonMasqueradeCidrs }: FirewallConfig): Plan {
  const pods = `${names.linkPrefix}+`;
  return {
    filter: {
      [names.chains.forward]: [`-i ${pods} -j ACCEPT`, `-o ${pods} -j ACCEPT`],
      [names.chains.input]: [`-i ${pods} -j ACCEPT`],
    },
    nat: {
      [names.chains.postrouting]: [
        `! -s ${podCidr} -j RETURN`,
        `-o ${pods} -j RETURN`,
        `-o ${serviceLinkPrefix}+ -j RETURN`,
        ...[podCidr, ...nonMasqueradeCidrs].map((cidr) => `-d ${cidr} -j RETURN`),
        '-j MASQUERADE',
      ],
    },
  };
}

/** Input of `iptables-restore --noflush`: our chains are replaced as a whole, nobody else's rules are touched. */
export function renderRestore(plan: Plan): string {
  const lines: string[] = [];
  for (const [table, chains] of Object.entries(plan) as [string, Plan['filter']][]) {
    lines.push(`*${table}`, ...Object.keys(chains).map((name) => `:${name} - [0:0]`));
    for (const [name, rules] of Object.entries(chains)) lines.push(...rules.map((rule) => `-A ${name} ${rule}`));
    lines.push('COMMIT');
  }
  return `${lines.join('\n')}\n`;
}

/** Rules of each chain as iptables-save prints them. */
export function parseSave(text: string): Map<string, string[]> {
  const chains = new Map<string, string[]>();
  let table = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1);
    else if (line.startsWith(':')) chains.set(`${table}/${line.slice(1).split(' ')[0] ?? ''}`, []);
    else if (line.startsWith('-A ')) {
      const name = line.split(' ')[1] ?? '';
      chains.get(`${table}/${name}`)?.push(line.slice(4 + name.length));
    }
  }
  return chains;
}

export interface HostFirewall {
  /** Writes what is missing. Cheap when nothing is. */
  ensure(): Promise<void>;
  /** Looks again every `intervalMs`: dockerd and firewall managers rewrite tables when they reload. */
  run(signal: AbortSignal): Promise<void>;
  /** Removes every trace. */
  remove(): Promise<void>;
}

const intervalMs = 15_000;
const wait = ['-w', '10'];

export function createHostFirewall(config: FirewallConfig, deps: { run: RunCommand; clock: Clock; log: Logger }): HostFirewall {
  const { run, clock, log } = deps;
  const { chains } = config.names;
  const plan = renderFirewall(config);
  let written: readonly (readonly string[] | undefined)[] | undefined;

  const read = async (): Promise<Map<string, string[]>> => {
    const [filter, nat] = await Promise.all([run('iptables-save', ['-t', 'filter']), run('iptables-save', ['-t', 'nat'])]);
    return parseSave(`${filter}\n${nat}`);
  };
  const ours = (saved: Map<string, string[]>): readonly (readonly string[] | undefined)[] => [
    saved.get(`filter/${chains.forward}`),
    saved.get(`filter/${chains.input}`),
    saved.get(`nat/${chains.postrouting}`),
  ];
  const ensure = async (): Promise<void> => {
    if ((await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim() !== '1') await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
    let saved = await read();
    if (written === undefined || !isDeepStrictEqual(ours(saved), written)) {
      if (written !== undefined) log.warn('packet filter rules were removed by someone; writing them again');
      await run('iptables-restore', ['--noflush', ...wait], renderRestore(plan));
      saved = await read();
      written = ours(saved);
    }
    // Docker leaves DOCKER-USER alone when it rewrites FORWARD.
    const docker = saved.get('filter/FORWARD')?.includes('-j DOCKER-USER') === true;
    for (const [table, from, to] of [
      ['filter', docker ? 'DOCKER-USER' : 'FORWARD', chains.forward],
      ['filter', 'INPUT', chains.input],
      ['nat', 'POSTROUTING', chains.postrouting],
    ] as const) {
      if (saved.get(`${table}/${from}`)?.includes(`-j ${to}`) !== true)
        await run('iptables', [...wait, '-t', table, '-I', from, '1', '-j', to]);
    }
  };

  return {
    ensure,
    run: async (signal) => {
      while (!signal.aborted) {
        await clock.sleep(intervalMs, signal).catch(() => undefined);
        if (signal.aborted) return;
        await ensure().catch((error: unknown) => log.error({ err: error }, 'the packet filter rules for pods are incomplete'));
      }
    },
    remove: async () => {
      const saved = await read();
      for (const [key, rules] of saved) {
        const [table = '', from = ''] = key.split('/');
        for (const to of Object.values(chains)) {
          if (rules.includes(`-j ${to}`)) await run('iptables', [...wait, '-t', table, '-D', from, '-j', to]);
        }
      }
      for (const [table, list] of Object.entries(plan)) {
        for (const name of Object.keys(list)) {
          if (!saved.has(`${table}/${name}`)) continue;
          await run('iptables', [...wait, '-t', table, '-F', name]);
          await run('iptables', [...wait, '-t', table, '-X', name]);
        }
      }
    },
  };
}
