import { isIP } from 'node:net';

/** The nameservers of a resolv.conf, in order. Malformed lines are passed over, as the C library does. */
export function parseNameservers(text: string): readonly string[] {
  const servers: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, value = ''] = line.trim().split(/\s+/);
    // fe80::1%eth0 is a legal nameserver.
    if (keyword === 'nameserver' && isIP(value.split('%')[0] ?? '') !== 0 && !servers.includes(value)) servers.push(value);
  }
  return servers;
}

/** Files in which a local stub resolver keeps the servers that it asks itself. */
const behindStub = ['/run/systemd/resolve/resolv.conf', '/run/NetworkManager/no-stub-resolv.conf'];

/**
 * Where to forward: the host's nameservers; behind a stub on loopback its own servers too, should it not answer. Addresses that
 * would lead back here are left out.
 */
export function upstreamServers(read: (path: string) => string | undefined, isOwn: (address: string) => boolean): readonly string[] {
  const first = parseNameservers(read('/etc/resolv.conf') ?? '');
  const hasStub = first.some((s) => s.startsWith('127.') || s === '::1');
  const more = hasStub ? behindStub.flatMap((path) => parseNameservers(read(path) ?? '')) : [];
  return [...new Set([...first, ...more])].filter((s) => !isOwn(s));
}
