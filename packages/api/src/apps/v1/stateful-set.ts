import type { DeepReadonly } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { StatefulSet } from '../../generated/types/apps-v1.ts';
import { scaleSubresource, specStrategy, statusSubresource } from '../../spec-and-status.ts';
import { defaultPodSpec } from '../../core/v1/pod/default-pod-spec.ts';
import { defaultClaimSpec } from '../../core/v1/persistent-volume-claim.ts';
import { age, containerCells, containerColumns, defineTable, nameColumn, nameOf } from '../../table.ts';

export const statefulSet = defineResource<StatefulSet>({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  scope: 'Namespaced',
  shortNames: ['sts'],
  categories: ['all'],
  schemaName: 'io.k8s.api.apps.v1.StatefulSet',
  storageVersionHash: 'H+vl74LkKdo=',
  enforcement: 'stored',
  resetFields: ['status'],
  defaults: defaultStatefulSet,
  strategy: specStrategy<StatefulSet>({ generation: { spec: 'io.k8s.api.apps.v1.StatefulSetSpec' } }, { warnings: statefulSetWarnings }),
  table: defineTable([nameColumn, 'Ready', 'Age', ...containerColumns], (s, nowMs) => [
    nameOf(s),
    `${s.status?.readyReplicas ?? 0}/${s.spec?.replicas ?? 0}`,
    age(s, nowMs),
    ...containerCells(s.spec?.template.spec?.containers),
  ]),
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource('StatefulSet'),
  },
});

function statefulSetWarnings(statefulSet: DeepReadonly<StatefulSet>): string[] {
  return (statefulSet.spec?.revisionHistoryLimit ?? 0) < 0
    ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
    : [];
}

function defaultStatefulSet(statefulSet: StatefulSet): void {
  const spec = statefulSet.spec;
  if (spec === undefined) return;
  spec.podManagementPolicy ||= 'OrderedReady';
  spec.updateStrategy ??= {};
  if (!spec.updateStrategy.type) {
    spec.updateStrategy.type = 'RollingUpdate';
    spec.updateStrategy.rollingUpdate ??= {};
  }
  if (spec.updateStrategy.type === 'RollingUpdate' && spec.updateStrategy.rollingUpdate) {
    spec.updateStrategy.rollingUpdate.partition ??= 0;
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    defaultClaimSpec((claim.spec ??= {}));
    claim.status ??= {};
    claim.status.phase ||= 'Pending';
  }
  defaultPodSpec((spec.template.spec ??= { containers: [] }));
}
