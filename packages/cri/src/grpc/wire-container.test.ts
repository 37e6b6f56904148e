import { describe, expect, it } from 'vitest';
import type { ContainerConfig } from '../container.ts';
import { containerConfig, sandboxConfig } from '../conformance.ts';
import { loadCriDefinition } from './definition.ts';
import type { WireContainerConfig, WireSandboxConfig } from './messages.ts';
import { fromWireContainerConfig, fromWireSignal, toWireContainerConfig, toWireSignal } from './wire-container.ts';
import { fromWireSandboxConfig, toWireSandboxConfig } from './wire-sandbox.ts';

const definition = loadCriDefinition().RuntimeService;
function overTheWire<T>(method: string, request: object): T {
  const m = definition[method];
  if (m === undefined) throw new Error(`no call ${method}`);
  return m.requestDeserialize(m.requestSerialize(request)) as T;
}

const base = containerConfig('busybox:1', ['sh', '-c', 'true']);
const cases: Record<string, ContainerConfig> = {
  'a plain one': base,
  'one with everything': {
    ...base,
    metadata: { name: 'web', attempt: 3 },
    args: ['a'],
    workingDir: '/srv',
    envs: [{ name: 'A', value: 'ä' }],
    mounts: [{ containerPath: '/data', hostPath: '/host', readOnly: true, recursiveReadOnly: true, propagation: 'host-to-container' }],
    cdiDevices: ['vendor.com/class=one'],
    devices: [{ containerPath: '/dev/x', hostPath: '/dev/y', permissions: 'rw' }],
    stdin: true,
    stdinOnce: true,
    tty: true,
    stopSignal: 'SIGRTMIN+3',
    resources: {
      cpuPeriodMicros: 100_000,
      cpuQuotaMicros: 50_000,
      cpuShares: 512,
      memoryLimitBytes: 2 ** 40,
      memorySwapLimitBytes: -1,
      oomScoreAdj: -998,
      cpusetCpus: '0-1',
      cpusetMems: '0',
      pidsLimit: 100,
      hugePageLimits: { '2MB': 4194304 },
      unified: { 'memory.min': '4096' },
    },
    securityContext: {
      privileged: false,
      addCapabilities: ['NET_ADMIN'],
      dropCapabilities: ['ALL'],
      pid: 'container',
      targetContainerId: 'other',
      runAsUser: 0,
      runAsGroup: 99,
      supplementalGroups: [1, 2],
      supplementalGroupsPolicy: 'strict',
      readOnlyRootFilesystem: true,
      noNewPrivileges: true,
      unmaskedProc: true,
      seccomp: { type: 'Localhost', localhostPath: '/profiles/x.json' },
      apparmorProfile: 'mine',
      seLinux: { user: 'u', role: 'r', type: 't', level: 's0' },
    },
  },
};

describe('configurations over the wire', () => {
  for (const [name, config] of Object.entries(cases)) {
    it(`container: ${name}`, () => {
      const sent = overTheWire<{ config: WireContainerConfig }>('CreateContainer', { config: toWireContainerConfig(config) });
      expect(fromWireContainerConfig(sent.config)).toEqual(config);
    });
  }

  it('sandbox', () => {
    // Addresses go another way: the CRI has no field for them.
    const { addresses: _addresses, ...config } = sandboxConfig({
      dns: { servers: ['10.0.0.10'], searches: ['shop.svc'], options: ['ndots:5'] },
      namespaces: { network: 'pod', pid: 'node', ipc: 'node' },
      cgroupParent: '/kubepods/x',
      sysctls: { 'net.core.somaxconn': '1' },
      seccomp: { type: 'Unconfined' },
      oomScoreAdj: -998,
      privileged: true,
    });
    const sent = overTheWire<{ config: WireSandboxConfig }>('RunPodSandbox', { config: toWireSandboxConfig(config) });
    expect(fromWireSandboxConfig(sent.config, '')).toEqual(config);
  });

  it.each([
    ['SIGTERM', 'SIGTERM'],
    ['SIGRTMIN+1', 'SIGRTMINPLUS1'],
    ['SIGRTMAX-2', 'SIGRTMAXMINUS2'],
    [undefined, 'RUNTIME_DEFAULT'],
  ])('signal %s', (name, wire) => {
    expect(toWireSignal(name)).toBe(wire);
    expect(fromWireSignal(wire)).toBe(name);
  });
});
