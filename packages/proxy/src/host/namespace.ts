import { existsSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CommandFailed, runOk, type RunCommand } from './command.ts';
import { hostMac, peerLink, servicesMac, type HostNames } from './names.ts';
import { renderHostRoutes, renderServicesRoutes, servicesSysctls, type HostConfig } from './plan.ts';

export const netnsPath = (names: HostNames): string => `/run/netns/${names.netns}`;

/** Identity of a namespace: two paths with the same number are the same namespace. */
export async function namespaceInode(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const batch = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

/** Makes the namespace, the veth pair, routes and sysctls, or mends what is missing of them. */
export async function ensureNamespace(run: RunCommand, config: HostConfig): Promise<void> {
  const { names } = config;
  if (!existsSync(netnsPath(names))) await runOk(run, 'ip', ['netns', 'add', names.netns]);
  const links = [
    await run('ip', ['link', 'show', 'dev', names.link]),
    await run('ip', ['-n', names.netns, 'link', 'show', 'dev', peerLink]),
  ];
  if (links.some((l) => l.code !== 0)) {
    // Half a pair is of an older namespace: it goes first.
    if (links[0]?.code === 0) await runOk(run, 'ip', ['link', 'delete', 'dev', names.link]);
    const peer = ['peer', 'name', peerLink, 'address', servicesMac, 'netns', names.netns];
    await runOk(run, 'ip', ['link', 'add', 'name', names.link, 'address', hostMac, 'type', 'veth', ...peer]);
    const script = Object.entries(servicesSysctls)
      .map(([file, value]) => `echo '${value}' > /proc/sys/${file}`)
      .join(' && ');
    await runOk(run, 'nsenter', [`--net=${netnsPath(names)}`, 'sh', '-c', script]);
  }
  await runOk(run, 'ip', ['-n', names.netns, '-batch', '-'], batch(renderServicesRoutes(config)));
  await runOk(run, 'ip', ['-batch', '-'], batch(renderHostRoutes(config)));
  if (readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '0')
    await runOk(run, 'sh', ['-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
}

/** Single addresses outside the Service ranges that this host answers for now, whoever made it: the routes tell. */
export async function answeredAddresses(run: RunCommand, { names, serviceCidrs, shadowCidr }: HostConfig): Promise<readonly string[]> {
  const [outside, inside] = await Promise.all([
    runOk(run, 'ip', ['-4', 'route', 'show', 'dev', names.link]),
    runOk(run, 'ip', ['-n', names.netns, '-4', 'route', 'show', 'table', 'local', 'type', 'local', 'dev', 'lo']),
  ]);
  const ranges = new Set([...serviceCidrs, shadowCidr].map((cidr) => cidr.replace(/\/32$/, '')));
  const found = [
    ...outside.split('\n').flatMap((line) => /^([\d.]+) via /.exec(line)?.[1] ?? []),
    ...inside.split('\n').flatMap((line) => /^(?:local )?([\d.]+) /.exec(line)?.[1] ?? []),
  ];
  return [...new Set(found)].filter((address) => !address.startsWith('127.') && !ranges.has(address));
}

/** Takes back routes of addresses that the host no longer answers for. */
export async function releaseAddresses(run: RunCommand, names: HostNames, addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    // Absent is what is wanted, so the exit codes don't matter.
    await run('ip', ['route', 'delete', `${address}/32`, 'dev', names.link]);
    await run('ip', ['-n', names.netns, 'route', 'delete', 'local', `${address}/32`, 'dev', 'lo']);
  }
}

/** Deletes namespace and veth pair. Processes in it must be gone before. */
export async function removeNamespace(run: RunCommand, names: HostNames): Promise<void> {
  if (existsSync(netnsPath(names))) await runOk(run, 'ip', ['netns', 'delete', names.netns]);
  // The kernel takes the link with the namespace, a little later.
  const deleted = await run('ip', ['link', 'delete', 'dev', names.link]);
  if (deleted.code !== 0 && (await run('ip', ['link', 'show', 'dev', names.link])).code === 0)
    throw new CommandFailed(`the link ${names.link} can't be deleted: ${deleted.stderr.trim()}`);
}
