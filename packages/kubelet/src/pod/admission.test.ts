import { describe, expect, it } from 'vitest';
import type { PodSpec } from '@skiff/api';
import { admitPod } from './admission.ts';
import { checkFit, podRequest } from './resource-fit.ts';
import { fakePod, snapshot } from './pod-context.fixture.ts';

const allocatable = { cpu: '2', memory: '1Gi', pods: '3' };
const pod = (spec: Partial<PodSpec>, uid = 'u') => snapshot(fakePod(spec, { uid }));
const port = (hostPort: number, over: object = {}) =>
  pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort, ...over }] }] });
const cpu = (text: string, uid = 'u') => pod({ containers: [{ name: 'c', resources: { requests: { cpu: text } } }] }, uid);
const node = { metadata: { name: 'n', labels: { disk: 'ssd' } } };
const admit = (p: ReturnType<typeof pod>, others: ReturnType<typeof pod>[] = [], over: object = {}) =>
  admitPod(p, { others, allocatable, node, appArmorEnabled: false, ...over })?.reason;

describe('admitPod', () => {
  it.each<[string, string | undefined, string | undefined]>([
    ['nothing in the way', admit(pod({})), undefined],
    ['a taken host port', admit(port(80), [port(80)]), 'NodePorts'],
    ['another protocol', admit(port(80, { protocol: 'UDP' }), [port(80)]), undefined],
    ['another address', admit(port(80, { hostIP: '127.0.0.1' }), [port(80, { hostIP: '10.0.0.1' })]), undefined],
    ['every address', admit(port(80, { hostIP: '127.0.0.1' }), [port(80)]), 'NodePorts'],
    [
      'ports of the host network',
      admit(pod({ hostNetwork: true, containers: [{ name: 'c', ports: [{ containerPort: 80 }] }] }), [port(80)]),
      'NodePorts',
    ],
    ['a selector that fits', admit(pod({ nodeSelector: { disk: 'ssd' } })), undefined],
    ['a selector that does not', admit(pod({ nodeSelector: { disk: 'hdd' } })), 'NodeAffinity'],
    ['too much CPU', admit(cpu('1500m'), [cpu('600m', 'v')]), 'OutOfcpu'],
    ['just enough CPU', admit(cpu('1400m'), [cpu('600m', 'v')]), undefined],
    ['too many pods', admit(pod({}), [pod({}), pod({}), pod({})]), 'OutOfpods'],
    ['another system', admit(pod({ os: { name: 'windows' } })), 'PodOSNotSupported'],
    ['AppArmor on a host without it', admit(pod({ securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } })), 'AppArmor'],
    [
      'AppArmor on a host with it',
      admit(pod({ securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } }), [], { appArmorEnabled: true }),
      undefined,
    ],
    [
      'a sysctl of the pod alone',
      admit(pod({ securityContext: { sysctls: [{ name: 'net/ipv4/tcp_syncookies', value: '1' }] } })),
      undefined,
    ],
    ['a sysctl that others feel', admit(pod({ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } })), 'SysctlForbidden'],
    ['claims of devices', admit(pod({ resourceClaims: [{ name: 'gpu', resourceClaimName: 'a' }] })), 'ResourceClaimsNotSupported'],
    ['user namespaces', admit(pod({ hostUsers: false })), 'UserNamespacesNotSupported'],
  ])('%s', (_name, reason, expected) => expect(reason).toBe(expected));

  it('counts the larger of init and app containers, and sidecars with both', () => {
    const c = (name: string, text: string, over: object = {}) => ({ name, resources: { requests: { cpu: text } }, ...over });
    const p = pod({
      initContainers: [c('s', '100m', { restartPolicy: 'Always' }), c('i', '1')],
      containers: [c('a', '200m'), c('b', '300m')],
    });
    expect(podRequest(p, 'cpu')).toBe(1100);
  });

  it('tells what never fits from what does not fit now', () => {
    expect(checkFit(cpu('3'), { others: [], allocatable })?.deferred).toBe(false);
    expect(checkFit(cpu('1500m'), { others: [cpu('1', 'v')], allocatable })?.deferred).toBe(true);
    expect(checkFit(cpu('1'), { others: [cpu('1', 'v')], allocatable })).toBeUndefined();
  });
});
