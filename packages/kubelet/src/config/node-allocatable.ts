import { FlagError } from '@skiff/component-base';
import type { Enforcement } from '../cgroups/node-cgroups.ts';

export interface NodeAllocatableConfig {
  readonly enforce: ReadonlySet<Enforcement>;
  readonly systemReserved: Readonly<Record<string, string>>;
  readonly kubeReserved: Readonly<Record<string, string>>;
  readonly systemReservedCgroup: string;
  readonly kubeReservedCgroup: string;
}

const known = ['pods', 'system-reserved', 'kube-reserved', 'system-reserved-compressible', 'kube-reserved-compressible'] as const;
const reservable: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage', 'pid']);
const flag = '--enforce-node-allocatable';

/** Throws FlagError for what upstream's kubelet refuses to start with as well. */
export function nodeAllocatableOf(o: {
  readonly enforce: readonly string[];
  readonly systemReserved: Readonly<Record<string, string>>;
  readonly kubeReserved: Readonly<Record<string, string>>;
  readonly systemReservedCgroup: string;
  readonly kubeReservedCgroup: string;
}): NodeAllocatableConfig {
  const names = o.enforce.filter((name) => name !== '');
  if (names.includes('none') && names.length > 1) throw new FlagError(`${flag}: none can't be together with others`);
  const enforce = new Set<Enforcement>();
  for (const name of names) {
    if (name === 'none') continue;
    const kind = known.find((k) => k === name);
    if (kind === undefined) throw new FlagError(`${flag}: ${JSON.stringify(name)} is none of ${known.join(', ')}, none`);
    if (enforce.has(kind)) throw new FlagError(`${flag}: ${name} is named twice`);
    enforce.add(kind);
  }
  for (const [kind, cgroup] of [
    ['system-reserved', o.systemReservedCgroup],
    ['kube-reserved', o.kubeReservedCgroup],
  ] as const) {
    if (enforce.has(kind) && enforce.has(`${kind}-compressible`)) throw new FlagError(`${flag}: either ${kind} or ${kind}-compressible`);
    if ((enforce.has(kind) || enforce.has(`${kind}-compressible`)) && cgroup === '')
      throw new FlagError(`--${kind}-cgroup must be given when ${flag} names ${kind}`);
  }
  for (const name of [...Object.keys(o.systemReserved), ...Object.keys(o.kubeReserved)])
    if (!reservable.has(name)) throw new FlagError(`cannot reserve ${JSON.stringify(name)} resource`);
  return { ...o, enforce };
}
