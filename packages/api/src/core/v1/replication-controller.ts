import { defineResource } from '../../define-resource.ts';
import type { ReplicationController } from '../../generated/types/core-v1.ts';
import { generationChanged, scaleSubresource, specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { nameWarning } from '../../name-warning.ts';
import { defaultPodSpec } from './pod/default-pod-spec.ts';
import { age, containerCells, containerColumns, defineTable, formatLabels, integer, nameColumn, nameOf, wide } from '../../table.ts';
import { dropDisabledPodFields } from './pod/drop-disabled.ts';
import { templateWarnings } from './pod-template-validation.ts';
import { validateReplicationController, validateReplicationControllerStatus } from './validate-replication-controller.ts';
import { nameIsLongName } from '@skiff/apimachinery';

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
    {
      validateName: nameIsLongName,
      defaultGarbageCollection: 'orphan',
      prepareForCreate(draft, { warn }) {
        dropDisabledPodFields(draft.spec?.template?.spec, undefined, 'spec.template.spec', warn);
      },
      prepareForUpdate(draft, old, { warn }) {
        dropDisabledPodFields(draft.spec?.template?.spec, old.spec?.template?.spec, 'spec.template.spec', warn);
      },
      validate: (rc, errors) => validateReplicationController(rc, errors),
      validateUpdate: (rc, old, errors) => validateReplicationController(rc, errors, old),
      warnings(rc, old) {
        if (old && !generationChanged(rc, old)) return [];
        // Upstream looks at the template that was, on an update.
        return old
          ? templateWarnings(old.spec?.template)
          : [...nameWarning(rc, 'Pod names and hostnames'), ...templateWarnings(rc.spec?.template)];
      },
    },
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
    status: statusSubresource(
      'ReplicationController',
      statusStrategy({ validateUpdate: (rc, _old, errors) => validateReplicationControllerStatus(rc, errors) }),
    ),
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
