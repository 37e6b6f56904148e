import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import os from 'node:os';
import type { NodeSystemInfo } from '@skiff/api';
import { newMilliQuantity, quantityMilliValue } from '@skiff/apimachinery';
import type { RuntimeVersion } from '@skiff/cri';
import { readKernel } from '../host/read-kernel.ts';
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
  /** With what is kept for root. */
  readonly diskFreeBytes: number;
  readonly diskInodes: number;
  readonly diskInodesFree: number;
  readonly pidsMax: number;
  readonly pidsUsed: number;
  readonly swapBytes: number;
  /** Page size in bytes → how many of them are set aside. */
  readonly hugePages: ReadonlyMap<number, number>;
}

/** By size, as the kernel lists them; empty where it has none. */
function readHugePages(sys: string): ReadonlyMap<number, number> {
  const directory = `${sys}/kernel/mm/hugepages`;
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const sizes = names.flatMap((name) => /^hugepages-(\d+)kB$/.exec(name)?.slice(1) ?? []);
  return new Map(sizes.map((kb) => [Number(kb) * 1024, Number(readKernel(`${directory}/hugepages-${kb}kB/nr_hugepages`)) || 0]));
}

/** Throws when memory or the disk can't be read: pods are evicted by these figures. */
export async function readUsage(directory: string, proc = '/proc', sys = '/sys'): Promise<MachineUsage> {
  const fs = await statfs(directory);
  const meminfo = readFileSync(`${proc}/meminfo`, 'utf8');
  const kib = (name: string): number => {
    const found = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(meminfo)?.[1];
    if (found === undefined) throw new Error(`${proc}/meminfo doesn't tell ${name}`);
    return Number(found) * 1024;
  };
  return {
    memoryCapacityBytes: kib('MemTotal'),
    memoryAvailableBytes: kib('MemAvailable'),
    diskCapacityBytes: fs.blocks * fs.bsize,
    diskAvailableBytes: fs.bavail * fs.bsize,
    diskFreeBytes: fs.bfree * fs.bsize,
    diskInodes: fs.files,
    diskInodesFree: fs.ffree,
    pidsMax: Number(readKernel(`${proc}/sys/kernel/pid_max`)) || 32_768,
    pidsUsed: Number(/ \d+\/(\d+) /.exec(readKernel(`${proc}/loadavg`))?.[1] ?? '0'),
    swapBytes: /^SwapTotal:/m.test(meminfo) ? kib('SwapTotal') : 0,
    hugePages: readHugePages(sys),
  };
}

export interface NodeResources {
  readonly capacity: Record<string, string>;
  readonly allocatable: Record<string, string>;
}

export interface NodeResourceOptions {
  readonly maxPods: number;
  /** What the node keeps for itself, resource → amount. */
  readonly reserved?: readonly Readonly<Record<string, string>>[];
  /** Kept free, since pods are evicted below it. Bytes. */
  readonly evictionMemoryBytes?: number;
  readonly evictionDiskBytes?: number;
}

/** Bytes as Kubernetes writes amounts of memory: the largest binary unit that leaves no rest. */
function binary(bytes: number): string {
  const units = ['', 'Ki', 'Mi', 'Gi', 'Ti'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && value % 1024 === 0 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${value}${units[unit] ?? ''}`;
}

/** Capacity as the kernel tells it; of that pods may have what is neither reserved nor an eviction threshold (Node Allocatable). */
export function computeNodeResources(usage: MachineUsage, o: NodeResourceOptions): NodeResources {
  const cpuCount = os.cpus().length;
  const reserved = (name: string): number =>
    (o.reserved ?? []).reduce((sum, r) => sum + (r[name] === undefined ? 0 : quantityMilliValue(r[name])), 0);
  const ki = (bytes: number): string => `${Math.floor(Math.max(0, bytes) / 1024)}Ki`;
  const pages = [...usage.hugePages].map(([size, count]) => ({ name: `hugepages-${binary(size)}`, bytes: size * count }));
  const common = { ...Object.fromEntries(pages.map(({ name, bytes }) => [name, binary(bytes)])), pods: String(o.maxPods) };
  // Pages that are set aside are no memory for anything else.
  const hugeBytes = pages.reduce((sum, { bytes }) => sum + bytes, 0);
  const disk = Math.max(0, usage.diskCapacityBytes - reserved('ephemeral-storage') / 1000 - (o.evictionDiskBytes ?? 0));
  return {
    capacity: { ...common, cpu: String(cpuCount), 'ephemeral-storage': ki(usage.diskCapacityBytes), memory: ki(usage.memoryCapacityBytes) },
    allocatable: {
      ...common,
      cpu: newMilliQuantity(Math.max(0, cpuCount * 1000 - reserved('cpu')), 'DecimalSI'),
      'ephemeral-storage': String(Math.floor(disk)),
      memory: ki(usage.memoryCapacityBytes - reserved('memory') / 1000 - (o.evictionMemoryBytes ?? 0) - hugeBytes),
    },
  };
}
