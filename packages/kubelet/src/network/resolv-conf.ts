import { readFile } from 'node:fs/promises';
import { isHostNetwork, type PodSnapshot } from '../pod/pod-snapshot.ts';

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface ClusterDns {
  readonly servers: readonly string[];
  readonly domain: string;
}

/** resolv.conf(5) and upstream's limits. */
const maxServers = 3;
const maxSearches = 32;
const maxSearchCharacters = 2048;

export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) servers.push(values[0]);
    // The last line of these wins.
    else if (keyword === 'search') searches = values.map((v) => (v === '.' ? v : v.replace(/\.$/, '')));
    else if (keyword === 'options') options = values;
  }
  return { servers, searches, options };
}

export function renderResolvConf(c: DnsConfig): string {
  const lines: string[] = [];
  if (c.searches.length > 0) lines.push(`search ${c.searches.join(' ')}`);
  lines.push(...c.servers.map((s) => `nameserver ${s}`));
  if (c.options.length > 0) lines.push(`options ${c.options.join(' ')}`);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

/** Options of the pod replace those of the same name. */
function mergeOptions(base: readonly string[], own: readonly { readonly name?: string; readonly value?: string }[]): string[] {
  const merged = new Map(base.map((o) => [o.split(':')[0] ?? o, o]));
  for (const { name, value } of own)
    if (name !== undefined) merged.set(name, value === undefined || value === '' ? name : `${name}:${value}`);
  return [...merged.values()];
}

const unique = (values: readonly string[]): string[] => [...new Set(values)];

export interface PodDns extends DnsConfig {
  /** What had to be left out, for a Warning event; reason DNSConfigForming or MissingClusterDNS. */
  readonly complaints: readonly { readonly reason: string; readonly message: string }[];
}

/** The pod's DNS after dnsPolicy and dnsConfig. */
export function computePodDns(pod: PodSnapshot, cluster: ClusterDns, host: DnsConfig): PodDns {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  const complaints: PodDns['complaints'][number][] = [];
  let base: DnsConfig;
  const clusterFirst = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !isHostNetwork(pod));
  if (policy === 'None') base = { servers: [], searches: [], options: [] };
  else if (clusterFirst && cluster.servers.length > 0) {
    const { domain } = cluster;
    const own = domain === '' ? [] : [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain];
    base = { servers: cluster.servers, searches: unique([...own, ...host.searches]), options: ['ndots:5'] };
  } else {
    if (clusterFirst) {
      complaints.push({
        reason: 'MissingClusterDNS',
        message: `kubelet does not have ClusterDNS IP configured and cannot create Pod using "${policy}" policy. Falling back to "Default" policy.`,
      });
    }
    base = host;
  }
  const custom = pod.spec.dnsConfig;
  const servers = unique([...base.servers, ...(custom?.nameservers ?? [])]);
  const searches = unique([...base.searches, ...(custom?.searches ?? [])]);
  const kept = limitSearches(searches);
  if (servers.length > maxServers) {
    complaints.push({
      reason: 'DNSConfigForming',
      message: `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${servers.slice(0, maxServers).join(' ')}`,
    });
  }
  if (kept.length < searches.length) {
    complaints.push({
      reason: 'DNSConfigForming',
      message: `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${kept.join(' ')}`,
    });
  }
  return { servers: servers.slice(0, maxServers), searches: kept, options: mergeOptions(base.options, custom?.options ?? []), complaints };
}

function limitSearches(searches: readonly string[]): string[] {
  const kept: string[] = [];
  let length = 0;
  for (const s of searches.slice(0, maxSearches)) {
    length += s.length + (kept.length > 0 ? 1 : 0);
    if (length > maxSearchCharacters) break;
    kept.push(s);
  }
  return kept;
}

const resolvedStub = '127.0.0.53';

/** The node's DNS. Where its file only names systemd-resolved's stub, which pods can't reach, the file behind it. */
export async function readHostDns(path: string): Promise<DnsConfig> {
  const parse = async (file: string): Promise<DnsConfig | undefined> => {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : parseResolvConf(text);
  };
  const found = (await parse(path)) ?? { servers: [], searches: [], options: [] };
  if (found.servers.length > 0 && found.servers.every((s) => s === resolvedStub))
    return (await parse('/run/systemd/resolve/resolv.conf')) ?? found;
  return found;
}
