import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { runOk, type RunCommand } from '../host/command.ts';
import { formatIpv4, inRange, ipv4Value, parseIpv4Cidr } from '../table/ip.ts';

/** The hosts' segment that an address lies on. */
export interface Segment {
  readonly link: string;
  readonly cidr: string;
}

/** The interface whose network the address belongs to; undefined: clients reach it by a route, and nothing is to be announced. */
export function segmentOf(address: string, interfaces = networkInterfaces()): Segment | undefined {
  for (const [link, list] of Object.entries(interfaces)) {
    if (/^(lo|sk|docker|br-|veth|vxlan)/.test(link)) continue;
    for (const a of list ?? []) {
      if (a.family !== 'IPv4' || a.internal || a.cidr === null || a.cidr.endsWith('/32')) continue;
      if (inRange(parseIpv4Cidr(a.cidr), ipv4Value(address))) return { link, cidr: a.cidr };
    }
  }
  return undefined;
}

/** From now on this host answers ARP requests for the address, at once. */
export async function ensureProxyNeighbour(run: RunCommand, address: string, { link }: Segment): Promise<void> {
  await runOk(run, 'ip', ['neighbour', 'replace', 'proxy', address, 'dev', link]);
  await runOk(run, 'sh', ['-c', `echo 0 > /proc/sys/net/ipv4/neigh/${link}/proxy_delay`]);
}

export async function removeProxyNeighbour(run: RunCommand, address: string, link: string): Promise<void> {
  // Absent is what is wanted, so the exit code doesn't matter.
  await run('ip', ['neighbour', 'delete', 'proxy', address, 'dev', link]);
}

/** An address of the segment other than these, for a question that nobody needs the answer of. */
function someoneElse(segment: Segment, not: ReadonlySet<string>): string | undefined {
  const { first, size } = parseIpv4Cidr(segment.cidr);
  for (let tries = 0; tries < 50; tries++) {
    const candidate = formatIpv4(first + 1 + Math.floor(Math.random() * Math.max(1, size - 2)));
    if (!not.has(candidate)) return candidate;
  }
  return undefined;
}

function sendFrom(address: string, to: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port: 0 }, () => {
      socket.send('', 9, to, (error) => {
        socket.close();
        if (error === null) resolve();
        else reject(error);
      });
    });
  });
}

/**
 * Tells the segment where the address is now. Whoever hears an ARP question learns the asker's place (RFC 826), so the kernel is
 * made to ask one under this address: it is the host's own for a moment, in which a datagram is sent to an address that the host
 * doesn't know. Packets that come for it in this moment are dropped by a rule, and sent again by their senders.
 */
export async function tellSegment(run: RunCommand, address: string, segment: Segment): Promise<void> {
  const known = (await runOk(run, 'ip', ['-4', 'neighbour', 'show', 'dev', segment.link]))
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '');
  const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((a) => a.address));
  const to = someoneElse(segment, new Set([...known, ...own, address]));
  if (to === undefined) return;
  await runOk(run, 'ip', ['address', 'replace', `${address}/32`, 'dev', segment.link, 'noprefixroute']);
  try {
    await sendFrom(address, to);
  } finally {
    await removeTold(run, address, segment.link);
  }
}

/** What `tellSegment` leaves behind when the process dies in that moment. Absent is what is wanted, so the exit code doesn't matter. */
export async function removeTold(run: RunCommand, address: string, link: string): Promise<void> {
  await run('ip', ['address', 'delete', `${address}/32`, 'dev', link]);
}
