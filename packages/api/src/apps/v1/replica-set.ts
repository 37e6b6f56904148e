import { defineResource } from '../../define-resource.ts';
import type { ReplicaSet } from '../../generated/types/apps-v1.ts';
import { generationChanged, scaleSubresource, specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { defaultPodSpec } from '../../core/v1/pod/default-pod-spec.ts';
import { nameWarning } from '../../name-warning.ts';
import { age, containerCells, containerColumns, defineTable, formatLabelSelector, integer, nameColumn, nameOf, wide } from '../../table.ts';
import { dropDisabledPodFields } from '../../core/v1/pod/drop-disabled.ts';
import { templateWarnings } from '../../core/v1/pod-template-validation.ts';
import { validateReplicaSet, validateReplicaSetStatus, validateReplicaSetUpdate } from './validate-deployment.ts';
import { nameIsDNSSubdomain } from '@skiff/apimachinery';

export const replicaSet = defineResource<ReplicaSet>({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  scope: 'Namespaced',
  shortNames: ['rs'],
  categories: ['all'],
  schemaName: 'io.k8s.api.apps.v1.ReplicaSet',
  storageVersionHash: 'P1RzHs8/mWQ=',
  resetFields: ['status'],
  defaults: defaultReplicaSet,
  strategy: specStrategy<ReplicaSet>(
    { generation: { spec: 'io.k8s.api.apps.v1.ReplicaSetSpec' } },
    {
      validateName: nameIsDNSSubdomain,
      prepareForCreate(draft, { warn }) {
        dropDisabledPodFields(draft.spec?.template?.spec, undefined, 'spec.template.spec', warn);
      },
      prepareForUpdate(draft, old, { warn }) {
        dropDisabledPodFields(draft.spec?.template?.spec, old.spec?.template?.spec, 'spec.template.spec', warn);
      },
      validate: (replicaSet, errors) => validateReplicaSet(replicaSet, errors),
      validateUpdate: validateReplicaSetUpdate,
      warnings(replicaSet, old) {
        if (old && !generationChanged(replicaSet, old)) return [];
        return [...(old ? [] : nameWarning(replicaSet, 'Pod names and hostnames')), ...templateWarnings(replicaSet.spec?.template)];
      },
    },
  ),
  selectableFields: { 'status.replicas': (r) => String(r.status?.replicas ?? 0) },
  table: defineTable(
    [nameColumn, integer('Desired'), integer('Current'), integer('Ready'), 'Age', ...containerColumns, wide('Selector')],
    (rs, nowMs) => [
      nameOf(rs),
      rs.spec?.replicas ?? 0,
      rs.status?.replicas ?? 0,
      rs.status?.readyReplicas ?? 0,
      age(rs, nowMs),
      ...containerCells(rs.spec?.template?.spec?.containers),
      formatLabelSelector(rs.spec?.selector),
    ],
  ),
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource(
      'ReplicaSet',
      statusStrategy({ validateUpdate: (replicaSet, _old, errors) => validateReplicaSetStatus(replicaSet, errors) }),
    ),
  },
});

function defaultReplicaSet(replicaSet: ReplicaSet): void {
  const spec = replicaSet.spec;
  if (spec === undefined) return;
  spec.replicas ??= 1;
  if (spec.template) defaultPodSpec((spec.template.spec ??= { containers: [] }));
}
