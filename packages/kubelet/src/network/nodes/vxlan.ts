import { writeFile } from 'node:fs/promises';
import type { RunCommand } from '../../host/run-command.ts';

export interface VxlanConfig {
  readonly link: string;
  readonly vni: number;
  readonly port: number;
  /** Source of the packets that carry others. */
  readonly local: string;
  readonly mac: string;
  readonly mtu: number;
  /** Addresses of this node in its own range; the first is what the host speaks from. */
  readonly addresses: readonly string[];
}

interface LinkInfo {
  readonly mtu?: number;
  readonly address?: string;
  readonly operstate?: string;
  readonly flags?: readonly string[];
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { id?: number; local?: string; port?: number; learning?: boolean };
  };
}

const batch = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

async function showLink(run: RunCommand, link: string): Promise<LinkInfo | undefined> {
  const text = await run('ip', ['-j', '-d', 'link', 'show', 'dev', link]).catch((error: Error) => {
    if (/does not exist|Cannot find device/.test(error.message)) return '[]';
    throw error;
  });
  return (JSON.parse(text) as LinkInfo[]).find((l) => l.mtu !== undefined);
}

/** What can't be changed on a device that is there. */
function isSame(info: LinkInfo, config: VxlanConfig): boolean {
  const data = info.linkinfo?.info_data;
  return (
    info.linkinfo?.info_kind === 'vxlan' &&
    data?.id === config.vni &&
    data.port === config.port &&
    data.local === config.local &&
    data.learning !== true &&
    info.address === config.mac
  );
}

/**
 * Makes the device, or one that differs anew. It learns nothing from the wire: whom it knows is told to it. It is bound to no
 * interface, so that one that goes and comes back doesn't take it along. Resolves with whether it was made.
 */
export async function ensureVxlan(run: RunCommand, config: VxlanConfig): Promise<boolean> {
  const { link } = config;
  let info = await showLink(run, link);
  if (info !== undefined && !isSame(info, config)) {
    await run('ip', ['link', 'delete', 'dev', link]);
    info = undefined;
  }
  const lines =
    info === undefined
      ? [
          `link add name ${link} mtu ${config.mtu} address ${config.mac} type vxlan id ${config.vni} local ${config.local} dstport ${config.port} nolearning`,
          `link set dev ${link} addrgenmode none`,
        ]
      : info.mtu === config.mtu
        ? []
        : [`link set dev ${link} mtu ${config.mtu}`];
  await run(
    'ip',
    ['-batch', '-'],
    batch([...lines, `link set dev ${link} up`, ...config.addresses.map((a) => `address replace ${a}/32 dev ${link}`)]),
  );
  // While two hosts have not yet chosen the same way, packets come by the one that this host wouldn't take.
  if (info === undefined) await writeFile(`/proc/sys/net/ipv4/conf/${link}/rp_filter`, '2');
  return info === undefined;
}

/** Takes its routes, neighbours and addresses along. */
export async function removeVxlan(run: RunCommand, link: string): Promise<void> {
  await run('ip', ['link', 'delete', 'dev', link]).catch((error: Error) => {
    if (!/Cannot find device|does not exist/.test(error.message)) throw error;
  });
}
