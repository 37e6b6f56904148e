import { defineResource } from '../../define-resource.ts';
import type { Node } from '../../generated/types/core-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';
import { defaultNode } from './node-defaults.ts';
import { nodeStatusStrategy, nodeStrategy } from './node-strategy.ts';
import { nodeTable } from './node-table.ts';

export const node = defineResource<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  scope: 'Cluster',
  shortNames: ['no'],
  schemaName: 'io.k8s.api.core.v1.Node',
  storagePrefix: 'minions',
  storageVersionHash: 'XwShjMxG9Fs=',
  resetFields: ['status'],
  strategy: nodeStrategy,
  defaults: defaultNode,
  selectableFields: { 'spec.unschedulable': (n) => String(n.spec?.unschedulable ?? false) },
  table: nodeTable,
  subresources: {
    proxy: { kind: 'NodeProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
    status: statusSubresource('Node', nodeStatusStrategy),
  },
});
