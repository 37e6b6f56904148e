import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { command } from '../e2e/support/cluster.ts';

/** Where a host is plugged in. */
export interface Port {
  readonly host: string;
  readonly address: string;
  readonly segment: string;
}

/** A network on the switch: a bridge, whose own address is the gateway to the other networks. */
export interface Segment {
  readonly name: string;
  /** `10.200.0`: the first three octets of its /24. */
  readonly prefix: string;
  /** Hosts on it reach out under the gateway's address, and nothing reaches in. */
  readonly nat: boolean;
}

/** What is wrong with the network; the rules are rendered from it as a whole. */
export interface Faults {
  /** Pairs of hosts that don't hear each other, one direction each. */
  readonly cut: Set<string>;
  readonly isolated: Set<string>;
  /** Probability with which a frame of or to a host is lost. */
  readonly loss: Map<string, number>;
}

export interface Switch {
  readonly pid: number;
  /** Plugs eth0 of the host whose network namespace is that of `hostPid`. */
  plug(port: Port, hostPid: number, mac: string): Promise<void>;
  unplug(host: string): Promise<void>;
  apply(faults: Faults): Promise<void>;
  /** Bits per second towards the host; undefined: as fast as it goes. */
  limit(host: string, bitsPerSecond: number | undefined): Promise<void>;
  close(): Promise<void>;
}

const bridgeOf = (segment: string): string => `br-${segment}`.slice(0, 15);
export const portOf = (host: string): string => `p-${host}`.slice(0, 15);

export async function run(program: string, args: readonly string[], input?: string): Promise<string> {
  const result = await command(program, args, { cwd: '/', ...(input === undefined ? {} : { input }), timeoutMs: 120_000 });
  if (result.code !== 0)
    throw new Error(`${program} ${args.join(' ')}: exit code ${result.code}\n${input ?? ''}\n${result.stderr}${result.stdout}`);
  return result.stdout;
}

/** iproute2's batch in the network namespace of a process. */
export const ipIn = (pid: number, lines: readonly string[]): Promise<string> =>
  run('nsenter', ['-t', String(pid), '-n', 'ip', '-batch', '-'], `${lines.join('\n')}\n`);

/** Routing between segments, and the rules of those behind NAT. */
function renderRouter(segments: readonly Segment[]): string {
  const hidden = segments.filter((s) => s.nat);
  return [
    'table ip router {',
    'chain forward { type filter hook forward priority 0;',
    ...hidden.map((s) => `oifname "${bridgeOf(s.name)}" ct state new drop`),
    '}',
    'chain postrouting { type nat hook postrouting priority 100;',
    ...hidden.map((s) => `ip saddr ${s.prefix}.0/24 oifname != "${bridgeOf(s.name)}" masquerade`),
    '}',
    '}',
  ].join('\n');
}

/** The two tables that make the faults: frames on the bridges, packets between them. */
export function renderFaults(faults: Faults, ports: ReadonlyMap<string, Port>): string {
  const dropOf = (host: string): string | undefined => {
    const loss = faults.loss.get(host);
    return faults.isolated.has(host)
      ? 'drop'
      : loss === undefined
        ? undefined
        : `numgen random mod 10000 < ${Math.round(loss * 10_000)} drop`;
  };
  const both = [...ports.keys()].flatMap((host) => {
    const drop = dropOf(host);
    return drop === undefined ? [] : [[host, drop] as const];
  });
  const pairs = [...faults.cut].map((pair) => pair.split('>') as [string, string]);
  const address = (host: string): string => ports.get(host)?.address ?? '';
  const chain = (name: string, hook: string, rules: readonly string[]): string =>
    [`chain ${name} { type filter hook ${hook} priority -300;`, ...rules, '}'].join('\n');
  return [
    'table bridge faults {}',
    'delete table bridge faults',
    'table ip faults {}',
    'delete table ip faults',
    'table bridge faults {',
    chain(
      'incoming',
      'prerouting',
      both.map(([host, drop]) => `iifname "${portOf(host)}" ${drop}`),
    ),
    chain(
      'outgoing',
      'postrouting',
      both.map(([host, drop]) => `oifname "${portOf(host)}" ${drop}`),
    ),
    chain(
      'between',
      'forward',
      pairs.map(([from, to]) => `iifname "${portOf(from)}" oifname "${portOf(to)}" drop`),
    ),
    '}',
    'table ip faults {',
    chain(
      'between',
      'forward',
      pairs.map(([from, to]) => `ip saddr ${address(from)} ip daddr ${address(to)} drop`),
    ),
    '}',
  ].join('\n');
}

/**
 * A switch with a router in it, in a network namespace of its own: the machine's firewall and Docker's rules never see the
 * frames. It ends with its owner, whatever happens to that.
 */
export async function startSwitch(segments: readonly Segment[]): Promise<Switch> {
  const child: ChildProcess = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  child.stdin?.on('error', () => undefined);
  child.stdin?.write('on\n');
  if (child.stdout !== null) await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  const ports = new Map<string, Port>();
  const inside = (program: string, args: readonly string[], input?: string): Promise<string> =>
    run('nsenter', ['-t', String(pid), '-n', program, ...args], input);
  await ipIn(pid, [
    'link set lo up',
    ...segments.flatMap((s) => [
      `link add ${bridgeOf(s.name)} type bridge mcast_snooping 0`,
      `addr add ${s.prefix}.1/24 dev ${bridgeOf(s.name)}`,
      `link set ${bridgeOf(s.name)} up`,
    ]),
  ]);
  await inside('sh', [
    '-c',
    'echo 1 >/proc/sys/net/ipv4/ip_forward; for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$f" ] || echo 0 >"$f"; done',
  ]);
  await inside('nft', ['-f', '-'], renderRouter(segments));
  return {
    pid,
    async plug(port, hostPid, mac) {
      const prefix = segments.find((s) => s.name === port.segment)?.prefix ?? '';
      const link = `link add eth0 netns ${hostPid} address ${mac} type veth peer name ${portOf(port.host)} netns ${pid}`;
      await run('ip', link.split(' '));
      await Promise.all([
        ipIn(pid, [`link set ${portOf(port.host)} master ${bridgeOf(port.segment)} up`]),
        ipIn(hostPid, ['link set lo up', `addr add ${port.address}/24 dev eth0`, 'link set eth0 up', `route add default via ${prefix}.1`]),
      ]);
      ports.set(port.host, port);
    },
    async unplug(host) {
      // With the other end's namespace the pair goes by itself, but only when the kernel gets to it.
      await inside('sh', ['-c', `ip link del ${portOf(host)} 2>/dev/null || ! ip link show ${portOf(host)} 2>/dev/null`]);
      ports.delete(host);
    },
    apply: async (faults) => {
      await inside('nft', ['-f', '-'], renderFaults(faults, ports));
    },
    async limit(host, bitsPerSecond) {
      const port = portOf(host);
      if (bitsPerSecond === undefined)
        await inside('sh', ['-c', `tc qdisc show dev ${port} | grep -q tbf && tc qdisc del dev ${port} root || true`]);
      else
        await inside('tc', [
          'qdisc',
          'replace',
          'dev',
          port,
          'root',
          'tbf',
          'rate',
          `${bitsPerSecond}bit`,
          'burst',
          '32kbit',
          'latency',
          '400ms',
        ]);
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
