import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { HostRole } from '../config.ts';

/** A program Skiff needs on the host, the Debian package that has it, and what to tell people elsewhere. */
interface Requirement {
  readonly program: string;
  readonly debianPackage: string;
  readonly elsewhere: string;
  readonly optional?: boolean;
  /** Not needed where only a node runs. */
  readonly controlPlane?: boolean;
}

export const requirements: readonly Requirement[] = [
  { program: 'dockerd', debianPackage: 'docker.io', elsewhere: 'Docker Engine 20.10 or newer' },
  { program: 'etcd', debianPackage: 'etcd-server', elsewhere: 'etcd 3.4 or newer, in PATH', controlPlane: true },
  {
    program: 'redis-server',
    debianPackage: 'redis-server',
    elsewhere: 'Redis 6 or newer, in PATH',
    optional: true,
    controlPlane: true,
  },
  { program: 'ip', debianPackage: 'iproute2', elsewhere: 'iproute2 (the program `ip`)' },
  { program: 'iptables', debianPackage: 'iptables', elsewhere: 'iptables' },
  { program: 'nsenter', debianPackage: 'util-linux', elsewhere: 'util-linux (the program `nsenter`)' },
  { program: 'sysctl', debianPackage: 'procps', elsewhere: 'procps (the program `sysctl`)' },
];

const searchPath = [
  ...new Set([
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
    '/usr/local/bin',
    '/usr/bin',
    '/bin',
  ]),
];

/** Where a program is, root's folders included even if PATH lacks them. */
export function findProgram(name: string): string | undefined {
  for (const folder of searchPath) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return undefined;
}

export type HostKind = 'debian' | 'other';

/** Debian, Ubuntu and what derives from them have apt and the packages' names. */
export function hostKind(osRelease = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''): HostKind {
  const ids = [...osRelease.matchAll(/^(?:ID|ID_LIKE)=(.*)$/gm)].flatMap((m) => (m[1] ?? '').replaceAll('"', '').split(' '));
  return ids.includes('debian') || ids.includes('ubuntu') ? 'debian' : 'other';
}

/** What a host of this role lacks. `hasEngine`: an engine answers, wherever its program is. `hasEtcd`: the same of an etcd that is not Skiff's. */
export function missingRequirements(
  o: { readonly hasEngine: boolean; readonly hasEtcd: boolean; readonly role: HostRole },
  find = findProgram,
): readonly Requirement[] {
  const isNeeded = (r: Requirement): boolean =>
    !(r.program === 'dockerd' && o.hasEngine) && !(r.program === 'etcd' && o.hasEtcd) && !(r.controlPlane === true && o.role === 'node');
  return requirements.filter((r) => isNeeded(r) && find(r.program) === undefined);
}
