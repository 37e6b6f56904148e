import type { Logger, SavedTables } from '@skiff/component-base';
import { CommandFailed, type RunCommand } from './command.ts';
import type { IptablesPlan, UdpTarget } from './plan.ts';

/** Where rules that an earlier run has written lead datagrams. */
export function udpTargetsIn(saved: SavedTables, plan: IptablesPlan): readonly UdpTarget[] {
  return Object.keys(plan.chains.nat)
    .flatMap((chain) => saved['nat']?.[chain] ?? [])
    .flatMap((rule) => {
      const port = /-p udp .*--dport (\d+) /.exec(rule)?.[1];
      const endpoint = / --to-destination ([\d.]+):/.exec(rule)?.[1];
      const address = /(?:^| )-d ([\d.]+)\/32 /.exec(rule)?.[1];
      return port === undefined || endpoint === undefined ? [] : [{ address, port: Number(port), endpoint }];
    });
}

/**
 * Clients that keep one source port are led elsewhere with their next datagram. Needs the program `conntrack`; without it they stay
 * until they pause (`nf_conntrack_udp_timeout_stream`).
 */
export async function forgetConnections(run: RunCommand, gone: readonly UdpTarget[], log: Logger): Promise<void> {
  for (const { address, port, endpoint } of gone) {
    const to = address === undefined ? [] : ['--orig-dst', address];
    try {
      // It fails where there is none to forget.
      await run('conntrack', ['-D', '-p', 'udp', ...to, '--orig-port-dst', String(port), '--dst-nat', endpoint]);
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      log.info({ gone: gone.length }, 'there is no program conntrack: some UDP clients stay with endpoints that are gone until they pause');
      return;
    }
  }
}
