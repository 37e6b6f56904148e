import type { HostAlias } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

const aliasLines = (aliases: readonly DeepReadonly<HostAlias>[]): string =>
  aliases.length === 0
    ? ''
    : `\n# Entries added by HostAliases.\n${aliases.map((a) => `${a.ip}\t${(a.hostnames ?? []).join('\t')}\n`).join('')}`;

/** /etc/hosts of a pod with its own network. */
export function renderHostsFile(o: {
  readonly ips: readonly string[];
  readonly hostname: string;
  readonly domain: string;
  readonly aliases: readonly DeepReadonly<HostAlias>[];
}): string {
  const own = o.ips.map((ip) => (o.domain === '' ? `${ip}\t${o.hostname}\n` : `${ip}\t${o.hostname}.${o.domain}\t${o.hostname}\n`));
  return [
    '# Kubernetes-managed hosts file.\n',
    '127.0.0.1\tlocalhost\n',
    '::1\tlocalhost ip6-localhost ip6-loopback\n',
    'fe00::0\tip6-localnet\n',
    'fe00::0\tip6-mcastprefix\n',
    'fe00::1\tip6-allnodes\n',
    'fe00::2\tip6-allrouters\n',
    ...own,
    aliasLines(o.aliases),
  ].join('');
}

/** /etc/hosts of a pod in the node's network: the node's own, and the aliases. */
export const renderNodeHostsFile = (nodeHosts: string, aliases: readonly DeepReadonly<HostAlias>[]): string =>
  `# Kubernetes-managed hosts file (host network).\n${nodeHosts}${aliasLines(aliases)}`;
