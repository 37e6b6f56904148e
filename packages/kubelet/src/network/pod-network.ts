import { access } from 'node:fs/promises';
import { aborted, type Clock, type Logger } from '@skiff/component-base';
import type { RunCommand } from '../host/run-command.ts';
import { createHostFirewall, type HostFirewall } from './host-firewall.ts';
import { type AddressPool, createAddressPool } from './ipam.ts';
import { networkNames, podLink } from './names.ts';
import { detectMtu, ensureUnreachable, unwirePod, wirePod } from './wiring.ts';

/** A sandbox as the network knows it. */
export interface NetworkOwner {
  readonly uid: string;
  readonly attempt: number;
}

export interface PodNetwork {
  /** The node's range became known. Takes effect once; a node keeps its range. */
  setPodCidr(cidr: string): void;
  /** Whether pods can get addresses; `message` says why not, for the node's condition and pods' events. */
  status(): { readonly ready: boolean; readonly message: string };
  /** Resolves when it is ready, or after `limitMs`: right after the start it is a matter of a moment. */
  waitReady(limitMs: number, signal: AbortSignal): Promise<void>;
  /** Addresses for a sandbox that is going to be made, primary first. Throws while not ready or when none is left. */
  allocate(owner: NetworkOwner): readonly string[];
  /** Notes the addresses of a sandbox that runs already. Resolves with false when its wire is gone. */
  adopt(owner: NetworkOwner, addresses: readonly string[]): Promise<boolean>;
  /** Connects a running sandbox. `pid`: a process in its network namespace. */
  attach(owner: NetworkOwner, o: { readonly pid: number; readonly addresses: readonly string[] }): Promise<void>;
  /** Cuts the wire and lets the addresses rest. Idempotent. */
  detach(owner: NetworkOwner): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
  /** Removes the rules of this instance. */
  remove(): Promise<void>;
}

export function createPodNetwork(
  config: { readonly instance: string; readonly nodeAddress: string; readonly nonMasqueradeCidrs: readonly string[] },
  deps: { readonly run: RunCommand; readonly clock: Clock; readonly log: Logger },
): PodNetwork {
  const { run, clock, log } = deps;
  const names = networkNames(config.instance);
  const adopted = new Map<string, readonly string[]>();
  let cidr: string | undefined;
  let pool: AddressPool | undefined;
  let firewall: HostFirewall | undefined;
  let mtu = 1500;
  let problem = 'the node has no pod CIDR yet';
  let start: () => void = () => undefined;
  const known = new Promise<void>((resolve) => {
    start = resolve;
  });

  const keyOf = (o: NetworkOwner): string => `${o.uid}/${o.attempt}`;
  const take = (owner: string, addresses: readonly string[]): void => {
    for (const address of addresses) {
      try {
        pool?.adopt(address, owner);
      } catch (error) {
        log.error({ err: error, address, owner }, 'two sandboxes claim one address');
      }
    }
  };
  const prepare = async (podCidr: string): Promise<void> => {
    mtu = await detectMtu();
    firewall = createHostFirewall({ names, podCidr, nonMasqueradeCidrs: config.nonMasqueradeCidrs }, { run, clock, log });
    await Promise.all([firewall.ensure(), ensureUnreachable(run, podCidr)]);
    problem = '';
  };

  return {
    setPodCidr: (value) => {
      if (cidr !== undefined) {
        if (cidr !== value)
          log.error({ had: cidr, now: value }, "the node's pod CIDR changed; pods keep the old one until the kubelet is restarted");
        return;
      }
      pool = createAddressPool(value, clock);
      for (const [owner, addresses] of adopted) take(owner, addresses);
      cidr = value;
      start();
    },
    status: () => ({ ready: problem === '', message: problem }),
    waitReady: async (limitMs, signal) => {
      const untilMs = clock.monotonicMs() + limitMs;
      while (problem !== '' && clock.monotonicMs() < untilMs) await clock.sleep(20, signal);
    },
    allocate: (owner) => {
      if (pool === undefined || problem !== '') throw new Error(`network is not ready: ${problem}`);
      return [pool.allocate(keyOf(owner))];
    },
    adopt: async (owner, addresses) => {
      adopted.set(keyOf(owner), addresses);
      take(keyOf(owner), addresses);
      return access(`/sys/class/net/${podLink(names, owner.uid, owner.attempt)}`).then(
        () => true,
        () => false,
      );
    },
    attach: async (owner, { pid, addresses }) => {
      const [address] = addresses;
      if (address === undefined) throw new Error('a pod needs an address');
      await wirePod(run, { link: podLink(names, owner.uid, owner.attempt), address, pid }, { mtu, nodeAddress: config.nodeAddress });
    },
    detach: async (owner) => {
      adopted.delete(keyOf(owner));
      await unwirePod(run, podLink(names, owner.uid, owner.attempt));
      pool?.release(keyOf(owner));
    },
    run: async (signal) => {
      await Promise.race([known, aborted(signal)]);
      if (signal.aborted || cidr === undefined) return;
      while (!signal.aborted && problem !== '') {
        await prepare(cidr).catch(async (error: unknown) => {
          problem = (error as Error).message;
          log.error({ err: error }, 'the pod network could not be prepared; trying again');
          await clock.sleep(1000, signal).catch(() => undefined);
        });
      }
      await firewall?.run(signal);
    },
    remove: async () => {
      const known = firewall ?? createHostFirewall({ names, podCidr: '0.0.0.0/32', nonMasqueradeCidrs: [] }, { run, clock, log });
      await known.remove();
      if (cidr !== undefined) await run('ip', ['route', 'delete', 'unreachable', cidr]).catch(() => undefined);
    },
  };
}
