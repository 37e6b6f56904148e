import type { DeepReadonly } from '@skiff/apimachinery';
import type { Node } from '../../generated/types/core-v1.ts';
import { age, defineTable, nameColumn, nameOf, orNone, wide } from '../../table.ts';

const rolePrefix = 'node-role.kubernetes.io/';

function status(node: DeepReadonly<Node>): string {
  const ready = (node.status?.conditions ?? []).findLast((c) => c.type === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return node.spec?.unschedulable ? `${word},SchedulingDisabled` : word;
}

function roles(node: DeepReadonly<Node>): string {
  const found = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata?.labels ?? {})) {
    const role = key.startsWith(rolePrefix) ? key.slice(rolePrefix.length) : key === 'kubernetes.io/role' ? value : '';
    if (role !== '') found.add(role);
  }
  return [...found].sort().join(',');
}

const address = (node: DeepReadonly<Node>, type: string): string =>
  (node.status?.addresses ?? []).find((a) => a.type === type)?.address ?? '<none>';

export const nodeTable = defineTable<Node>(
  [
    nameColumn,
    'Status',
    'Roles',
    'Age',
    'Version',
    wide('Internal-IP'),
    wide('External-IP'),
    wide('OS-Image'),
    wide('Kernel-Version'),
    wide('Container-Runtime'),
  ],
  (node, nowMs) => {
    const info = node.status?.nodeInfo;
    return [
      nameOf(node),
      status(node),
      orNone(roles(node)),
      age(node, nowMs),
      info?.kubeletVersion ?? '',
      address(node, 'InternalIP'),
      address(node, 'ExternalIP'),
      info?.osImage || '<unknown>',
      `${info?.kernelVersion || '<unknown>'}${info?.architecture ? ` (${info.architecture})` : ''}`,
      info?.containerRuntimeVersion || '<unknown>',
    ];
  },
);
