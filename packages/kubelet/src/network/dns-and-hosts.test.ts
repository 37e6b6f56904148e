import { describe, expect, it } from 'vitest';
import type { PodSpec } from '@skiff/api';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { computeHostname, kernelHostname } from './hostname.ts';
import { renderHostsFile } from './hosts-file.ts';
import { computePodDns, parseResolvConf, renderResolvConf } from './resolv-conf.ts';

const pod = (spec: Partial<PodSpec>, name = 'web'): PodSnapshot =>
  snapshotPod({ metadata: { name, namespace: 'ns', uid: 'u' }, spec: { containers: [], ...spec } }) as PodSnapshot;
const cluster = { servers: ['10.96.0.10'], domain: 'cluster.local' };
const host = parseResolvConf('nameserver 1.1.1.1\nnameserver 8.8.8.8\nsearch lan.\noptions edns0\n');
const dns = (spec: Partial<PodSpec>): string => renderResolvConf(computePodDns(pod(spec), cluster, host));

describe('resolv.conf', () => {
  it.each<[string, Partial<PodSpec>, string]>([
    ['ClusterFirst', {}, 'search ns.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.96.0.10\noptions ndots:5\n'],
    ['ClusterFirst in the host network', { hostNetwork: true }, 'search lan\nnameserver 1.1.1.1\nnameserver 8.8.8.8\noptions edns0\n'],
    [
      'ClusterFirstWithHostNet',
      { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' },
      'search ns.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.96.0.10\noptions ndots:5\n',
    ],
    ['Default', { dnsPolicy: 'Default' }, 'search lan\nnameserver 1.1.1.1\nnameserver 8.8.8.8\noptions edns0\n'],
    [
      'None',
      {
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['9.9.9.9'], searches: ['a.b'], options: [{ name: 'ndots', value: '2' }, { name: 'debug' }] },
      },
      'search a.b\nnameserver 9.9.9.9\noptions ndots:2 debug\n',
    ],
    [
      'ClusterFirst with additions',
      { dnsConfig: { nameservers: ['9.9.9.9'], searches: ['a.b'], options: [{ name: 'ndots', value: '2' }] } },
      'search ns.svc.cluster.local svc.cluster.local cluster.local lan a.b\nnameserver 10.96.0.10\nnameserver 9.9.9.9\noptions ndots:2\n',
    ],
  ])('%s', (_name, spec, expected) => expect(dns(spec)).toBe(expected));

  it('complains about what it leaves out', () => {
    const limited = computePodDns(pod({ dnsConfig: { nameservers: ['1.0.0.1', '1.0.0.2', '1.0.0.3'] } }), cluster, host);
    expect(limited.servers).toHaveLength(3);
    expect(limited.complaints.map((c) => c.reason)).toEqual(['DNSConfigForming']);
    expect(computePodDns(pod({}), { servers: [], domain: '' }, host).complaints.map((c) => c.reason)).toEqual(['MissingClusterDNS']);
  });
});

describe('names and /etc/hosts', () => {
  it('derives the host name', () => {
    expect(computeHostname(pod({}), 'cluster.local')).toEqual({ hostname: 'web', domain: '' });
    expect(computeHostname(pod({ hostname: 'h', subdomain: 's' }), 'cluster.local')).toEqual({
      hostname: 'h',
      domain: 's.ns.svc.cluster.local',
    });
    expect(computeHostname(pod({}, `${'a'.repeat(62)}-bb`), 'x').hostname).toBe('a'.repeat(62));
    const fqdn = pod({ subdomain: 's', setHostnameAsFQDN: true });
    expect(kernelHostname(fqdn, computeHostname(fqdn, 'cluster.local'))).toBe('web.s.ns.svc.cluster.local');
  });

  it('lists the pod and its aliases', () => {
    const text = renderHostsFile({
      ips: ['10.0.0.2'],
      hostname: 'h',
      domain: 's.ns.svc.x',
      aliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }],
    });
    expect(text).toContain('10.0.0.2\th.s.ns.svc.x\th\n');
    expect(text.endsWith('\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n')).toBe(true);
    expect(text.startsWith('# Kubernetes-managed hosts file.\n')).toBe(true);
  });
});
