import { describe, expect, it } from 'vitest';
import { findProgram, hostKind, missingRequirements } from './requirements.ts';

describe('hostKind', () => {
  it.each([
    ['ID=debian\nVERSION_ID="12"', 'debian'],
    ['ID=ubuntu\nID_LIKE=debian', 'debian'],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"', 'debian'],
    ['ID="fedora"', 'other'],
    ['', 'other'],
  ])('%j is %s', (text, kind) => expect(hostKind(text)).toBe(kind));
});

it('finds programs and misses what is not there', () => {
  expect(findProgram('sh')).toMatch(/\/sh$/);
  expect(findProgram('no-such-program-here')).toBeUndefined();
});

it.each([
  [{ hasEngine: false, hasEtcd: false, role: 'control-plane' }, ['dockerd', 'etcd', 'redis-server']],
  [{ hasEngine: true, hasEtcd: true, role: 'control-plane' }, ['redis-server']],
  [{ hasEngine: false, hasEtcd: false, role: 'node' }, ['dockerd']],
] as const)('a host of %j needs %j', (host, programs) => {
  const missing = missingRequirements(host, () => undefined).map((r) => r.program);
  expect(missing).toEqual([...programs, 'ip', 'iptables', 'nsenter', 'sysctl']);
  expect(missingRequirements(host, () => '/usr/bin/it')).toEqual([]);
});
