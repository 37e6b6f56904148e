import { defineResource } from '../../define-resource.ts';
import type { ReplicationController } from '../../generated/types/core-v1.ts';
import { scaleSubresource, specStrategy, statusSubresource } from '../../spec-and-status.ts';
import { nameWarning } from '../../name-warning.ts';
import { defaultPodSpec } from './pod/default-pod-spec.ts';
import { age, containerCells, containerColumns, defineTable, formatLabels, integer, nameColumn, nameOf, wide } from '../../table.ts';

export const replicationController = defineResource<ReplicationController>({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  scope: 'Namespaced',
  shortNames: ['rc'],
  categories: ['all'],
  schemaName: 'io.k8s.api.core.v1.ReplicationController',
  storagePrefix: 'controllers',
  storageVersionHash: 'Jond2If31h0=',
  resetFields: ['status'],
  strategy: specStrategy<ReplicationController>(
    { generation: { spec: 'io.k8s.api.core.v1.ReplicationControllerSpec' } },
    { warnings: (rc, old) => (old ? [] : nameWarning(rc, 'Pod names and hostnames')) },
  ),
  defaults: defaultReplicationController,
  selectableFields: { 'status.replicas': (r) => String(r.status?.replicas ?? 0) },
  table: defineTable(
    [nameColumn, integer('Desired'), integer('Current'), integer('Ready'), 'Age', ...containerColumns, wide('Selector')],
    (rc, nowMs) => [
      nameOf(rc),
      rc.spec?.replicas ?? 0,
      rc.status?.replicas ?? 0,
      rc.status?.readyReplicas ?? 0,
      age(rc, nowMs),
      ...containerCells(rc.spec?.template?.spec?.containers),
      formatLabels(rc.spec?.selector),
    ],
  ),
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource('ReplicationController'),
  },
});

/** Selector and labels default to the template's labels, which no later workload kind does any more. */
function defaultReplicationController(rc: ReplicationController): void {
  const spec = rc.spec;
  if (spec === undefined) return;
  spec.replicas ??= 1;
  const labels = spec.template?.metadata?.labels;
  if (labels) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(rc.metadata?.labels ?? {}).length === 0) (rc.metadata ??= {}).labels = { ...labels };
  }
  if (spec.template) defaultPodSpec((spec.template.spec ??= { containers: [] }));
}
