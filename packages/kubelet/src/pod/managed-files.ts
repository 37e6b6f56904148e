import { chmod, readFile, writeFile } from 'node:fs/promises';
import { computeHostname } from '../network/hostname.ts';
import { renderHostsFile, renderNodeHostsFile } from '../network/hosts-file.ts';
import { computePodDns, renderResolvConf } from '../network/resolv-conf.ts';
import { podPaths } from '../volumes/pod-paths.ts';
import type { PodContext } from './pod-context.ts';
import { isHostNetwork, type PodSnapshot } from './pod-snapshot.ts';

/** /etc/hosts and /etc/resolv.conf, written in place so that running containers see changes. */
export async function writeManagedFiles(pod: PodSnapshot, ips: readonly string[], context: PodContext): Promise<Map<string, string>> {
  const paths = podPaths(context.rootDirectory, pod.metadata.uid);
  const names = computeHostname(pod, context.dns.cluster.domain);
  const aliases = pod.spec.hostAliases ?? [];
  const hosts = isHostNetwork(pod)
    ? renderNodeHostsFile(await readFile(context.hostMount.local('/etc/hosts'), 'utf8').catch(() => ''), aliases)
    : renderHostsFile({ ips, hostname: names.hostname, domain: names.domain, aliases });
  const dns = computePodDns(pod, context.dns.cluster, await context.dns.host());
  for (const c of dns.complaints) context.event(pod, 'Warning', c.reason, c.message);
  const write = async (file: string, text: string): Promise<void> => {
    const local = context.hostMount.local(file);
    // Containers that run read it meanwhile, and where the disk is full nothing but an empty file would be left.
    if ((await readFile(local, 'utf8').catch(() => undefined)) === text) return;
    await writeFile(local, text);
    await chmod(local, 0o644);
  };
  await Promise.all([write(paths.hosts, hosts), write(paths.resolvConf, renderResolvConf(dns))]);
  return new Map([
    ['/etc/hosts', paths.hosts],
    ['/etc/resolv.conf', paths.resolvConf],
  ]);
}
