import { readFile, statfs } from 'node:fs/promises';
import os from 'node:os';
import type { NodeSystemInfo } from '@skiff/api';
import type { RuntimeVersion } from '@skiff/cri';
import { kubeletVersion } from '../version.ts';

const read = (file: string): Promise<string> =>
  readFile(file, 'utf8').then(
    (t) => t.trim(),
    () => '',
  );
const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  ppc64: 'ppc64le',
  s390x: 's390x',
};

export const architecture = (): string => architectures[os.arch()] ?? os.arch();

export async function readSystemInfo(runtime: RuntimeVersion): Promise<NodeSystemInfo> {
  const [machineID, systemUUID, bootID, release] = await Promise.all([
    read('/etc/machine-id'),
    read('/sys/class/dmi/id/product_uuid'),
    read('/proc/sys/kernel/random/boot_id'),
    read('/etc/os-release'),
  ]);
  return {
    machineID,
    systemUUID: systemUUID === '' ? machineID : systemUUID,
    bootID,
    kernelVersion: os.release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?/m.exec(release)?.[1] ?? 'Linux',
    containerRuntimeVersion: `${runtime.runtimeName}://${runtime.runtimeVersion}`,
    kubeletVersion,
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: architecture(),
  };
}

export interface MachineUsage {
  readonly memoryCapacityBytes: number;
  readonly memoryAvailableBytes: number;
  readonly diskCapacityBytes: number;
  readonly diskAvailableBytes: number;
  readonly pidsMax: number;
  readonly pidsUsed: number;
}

export async function readUsage(directory: string): Promise<MachineUsage> {
  const [meminfo, fs, pidMax, loadavg] = await Promise.all([
    read('/proc/meminfo'),
    statfs(directory).catch(() => statfs('/')),
    read('/proc/sys/kernel/pid_max'),
    read('/proc/loadavg'),
  ]);
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1] ?? '0') * 1024;
  return {
    memoryCapacityBytes: kib('MemTotal'),
    memoryAvailableBytes: kib('MemAvailable'),
    diskCapacityBytes: fs.blocks * fs.bsize,
    diskAvailableBytes: fs.bavail * fs.bsize,
    pidsMax: Number(pidMax) || 32_768,
    pidsUsed: Number(/ \d+\/(\d+) /.exec(loadavg)?.[1] ?? '0'),
  };
}

export interface NodeResources {
  readonly capacity: Record<string, string>;
  readonly allocatable: Record<string, string>;
}

/** Upstream's hard eviction thresholds are kept free: 100 MiB of memory, a tenth of the disk. */
const reservedMemoryBytes = 100 * 1024 * 1024;

export function computeNodeResources(usage: MachineUsage, maxPods: number): NodeResources {
  const cpu = String(os.cpus().length);
  const ki = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;
  const common = { cpu, 'hugepages-1Gi': '0', 'hugepages-2Mi': '0', pods: String(maxPods) };
  return {
    capacity: { ...common, 'ephemeral-storage': ki(usage.diskCapacityBytes), memory: ki(usage.memoryCapacityBytes) },
    allocatable: {
      ...common,
      'ephemeral-storage': String(Math.floor(usage.diskCapacityBytes * 0.9)),
      memory: ki(usage.memoryCapacityBytes - reservedMemoryBytes),
    },
  };
}
