import type { DeepReadonly } from '@skiff/apimachinery';
import type { ContainerPort } from '../../../generated/types/core-v1.ts';
import type { ContainerAt } from './containers.ts';
import { fractionWarnings } from './warnings.ts';

export function containerWarnings({ container, path }: ContainerAt): string[] {
  const warnings = ['memory', 'ephemeral-storage'].flatMap((name) =>
    (['limits', 'requests'] as const).flatMap((list) =>
      fractionWarnings(container.resources?.[list]?.[name], `${path}.resources.${list}[${name}]`),
    ),
  );
  const seen = new Set<string>();
  for (const [i, { name, value = '', valueFrom }] of (container.env ?? []).entries()) {
    // A later definition may extend an earlier one by referring to it.
    const reference = `$(${name})`;
    const extendsEarlier = valueFrom === undefined && value !== reference && value.includes(reference);
    if (seen.has(name) && !extendsEarlier) {
      warnings.push(`${path}.env[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`);
    }
    seen.add(name);
  }
  return warnings;
}

interface PortAt {
  readonly path: string;
  readonly port: DeepReadonly<ContainerPort>;
}

/** How two ports of the same number and protocol get in each other's way; undefined when they don't. */
function conflict(a: DeepReadonly<ContainerPort>, b: DeepReadonly<ContainerPort>): string | undefined {
  const [hostPort, otherHostPort] = [a.hostPort ?? 0, b.hostPort ?? 0];
  const [hostIP, otherHostIP] = [a.hostIP ?? '', b.hostIP ?? ''];
  if (hostIP === otherHostIP && hostPort === otherHostPort) return 'duplicate port definition';
  if (hostPort === 0 || otherHostPort === 0) return 'overlapping port definition';
  const oneIsAny = (hostIP === '') !== (otherHostIP === '');
  return hostPort === otherHostPort && oneIsAny ? 'dangerously ambiguous port definition' : undefined;
}

export function portWarnings(containers: readonly ContainerAt[]): string[] {
  const ports: PortAt[] = containers.flatMap(({ container, path }) =>
    (container.ports ?? []).map((port, i) => ({ path: `${path}.ports[${i}]`, port })),
  );
  const conflicts = ports.flatMap(({ path, port }, i) => {
    const lonely = port.hostIP && !port.hostPort ? [`${path}: hostIP set without hostPort: ${formatPort(port)}`] : [];
    const others = ports.slice(0, i).filter((o) => o.port.containerPort === port.containerPort && o.port.protocol === port.protocol);
    return [
      ...lonely,
      ...others.flatMap((o) => {
        const word = conflict(port, o.port);
        return word === undefined ? [] : [`${path}: ${word} with ${o.path}`];
      }),
    ];
  });
  const names = new Map<string, string>();
  const duplicates = ports.flatMap(({ path, port: { name } }) => {
    if (!name) return [];
    const first = names.get(name);
    if (first === undefined) names.set(name, path);
    return first === undefined
      ? []
      : [
          `${path}: duplicate port name ${JSON.stringify(name)} with ${first}, services and probes that select ports by name will use ${first}`,
        ];
  });
  return [...conflicts, ...duplicates];
}

/** Go's %+v of the struct. */
const formatPort = (p: DeepReadonly<ContainerPort>): string =>
  `{Name:${p.name ?? ''} HostPort:${p.hostPort ?? 0} ContainerPort:${p.containerPort} Protocol:${p.protocol ?? ''} HostIP:${p.hostIP ?? ''}}`;
