import { describe, expect, it } from 'vitest';
import { forwardChain, missingJumps, parseSavedTables, renderRestore } from '@skiff/component-base';
import { removeChains } from './iptables.ts';
import { hostNames } from './names.ts';
import { renderHostRoutes, renderIptables, renderServicesRoutes, type HostConfig } from './plan.ts';

const config = (instance: string): HostConfig => ({
  names: hostNames(instance),
  serviceCidrs: ['10.96.0.0/16', '10.97.0.0/24'],
  clusterCidr: '10.244.0.0/16',
  shadowCidr: '10.220.0.0/16',
  nodeAddress: '192.168.1.5',
  extraAddresses: ['203.0.113.7'],
  peerAddresses: ['192.168.1.6'],
  livenessPort: 10261,
  rules: undefined,
});

describe('names', () => {
  it("fit the kernel's limits and differ between instances", () => {
    const long = 'a-rather-long-name-of-an-instance';
    const names = ['skiff', 'skiff8', 'skiff-2', long, `${long}2`].map(hostNames);
    for (const n of names) {
      expect(n.link.length).toBeLessThanOrEqual(15);
      for (const chain of Object.values(n.chains)) expect(chain.length).toBeLessThanOrEqual(28);
      expect(n.hostAddress).toMatch(/^169\.254\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./);
    }
    for (const key of ['netns', 'link'] as const) expect(new Set(names.map((n) => n[key])).size).toBe(names.length);
  });
  it("refuses what can't be a name", () => {
    for (const bad of ['', 'A', 'a/b', '-a', 'a b', 'x'.repeat(41)]) expect(() => hostNames(bad)).toThrow("can't name an instance");
  });
});

describe('plan', () => {
  it('routes Services, shadows and further addresses into the namespace, where they are local', () => {
    const host = renderHostRoutes(config('skiff')).join('\n');
    const inside = renderServicesRoutes(config('skiff')).join('\n');
    for (const target of ['10.96.0.0/16', '10.97.0.0/24', '10.220.0.0/16', '203.0.113.7/32']) {
      expect(host).toContain(`route replace ${target} via`);
      expect(inside).toContain(`route replace local ${target} dev lo`);
    }
    expect(inside).toMatch(/default via \S+ dev eth0 onlink src 10\.96\.0\.0/);
  });
  it("keeps clients' packets untracked, translates shadows and hides nothing else", () => {
    const plan = renderIptables(config('skiff'), 'FORWARD');
    const post = plan.chains.nat['SKIFF-SVC-POST-skiff'] ?? [];
    expect(post.indexOf('-s 10.220.0.0/16 -d 10.244.0.0/16 -j NETMAP --to 10.244.0.0/16')).toBeGreaterThan(0);
    expect(post).toContain('-s 10.96.0.0/32 -d 10.244.0.0/16 -j SNAT --to-source 192.168.1.5');
    const text = renderRestore(plan.chains);
    expect(text.split('\n').filter((l) => l === 'COMMIT')).toHaveLength(4);
    expect(text).toContain(':SKIFF-SVC-FWD-skiff - [0:0]');
  });
});

const saved = `# comment
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:SKIFF-SVC-FWD-skiff - [0:0]
:SKIFF-SVC-FWD-skiff8 - [0:0]
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j SKIFF-SVC-FWD-skiff
-A DOCKER-USER -j SKIFF-SVC-FWD-skiff8
-A DOCKER-USER -j RETURN
-A SKIFF-SVC-FWD-skiff -i sks-skiff -j ACCEPT
COMMIT
`;

describe('rules as they are', () => {
  it("finds what is missing, and Docker's place for own rules", () => {
    const tables = parseSavedTables(saved);
    expect(forwardChain(tables)).toBe('DOCKER-USER');
    expect(forwardChain(parseSavedTables('*filter\n:FORWARD ACCEPT [0:0]\n'))).toBe('FORWARD');
    const plan = renderIptables(config('skiff'), 'DOCKER-USER');
    expect(
      missingJumps(
        tables,
        plan.jumps.filter((j) => j.table === 'filter'),
      ),
    ).toEqual([{ table: 'filter', from: 'INPUT', to: 'SKIFF-SVC-IN-skiff' }]);
  });
  it('removes own chains and jumps, and not those of an instance whose name begins alike', async () => {
    const calls: string[] = [];
    await removeChains(
      (command, args) => {
        if (command === 'iptables') calls.push(args.slice(2).join(' '));
        const stdout = command === 'iptables-save' ? saved : '';
        return Promise.resolve({ code: 0, stdout, stderr: '' });
      },
      ['SKIFF-SVC-FWD-skiff'],
    );
    expect(calls).toEqual([
      '-t filter -D DOCKER-USER -j SKIFF-SVC-FWD-skiff',
      '-t filter -F SKIFF-SVC-FWD-skiff',
      '-t filter -X SKIFF-SVC-FWD-skiff',
    ]);
  });
});
