import { type DeepReadonly, nameIsDNSLabel, type StrategyContext } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { StatefulSet } from '../../generated/types/apps-v1.ts';
import { generationChanged, scaleSubresource, specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { defaultPodSpec } from '../../core/v1/pod/default-pod-spec.ts';
import { defaultClaimSpec } from '../../core/v1/persistent-volume-claim.ts';
import { age, containerCells, containerColumns, defineTable, nameColumn, nameOf } from '../../table.ts';
import { dropDisabledPodFields } from '../../core/v1/pod/drop-disabled.ts';
import { claimSpecWarnings } from '../../core/v1/persistent-volume-warnings.ts';
import { templateWarnings } from '../../core/v1/pod-template-validation.ts';
import { validateStatefulSet, validateStatefulSetStatus, validateStatefulSetUpdate } from './validate-stateful-set.ts';

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
  resetFields: ['status'],
  defaults: defaultStatefulSet,
  strategy: specStrategy<StatefulSet>(
    { generation: { spec: 'io.k8s.api.apps.v1.StatefulSetSpec' } },
    {
      validateName: nameIsDNSLabel,
      prepareForCreate(draft, { warn }) {
        dropDisabledFields(draft, undefined, warn);
      },
      prepareForUpdate(draft, old, { warn }) {
        dropDisabledFields(draft, old, warn);
      },
      validate: (statefulSet, errors) => validateStatefulSet(statefulSet, errors),
      validateUpdate: validateStatefulSetUpdate,
      warnings: statefulSetWarnings,
    },
  ),
  table: defineTable([nameColumn, 'Ready', 'Age', ...containerColumns], (s, nowMs) => [
    nameOf(s),
    `${s.status?.readyReplicas ?? 0}/${s.spec?.replicas ?? 0}`,
    age(s, nowMs),
    ...containerCells(s.spec?.template.spec?.containers),
  ]),
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource('StatefulSet', statusStrategy({ validateUpdate: validateStatefulSetStatus })),
  },
});

/** `maxUnavailable` is beta and off (KEP-961). */
function dropDisabledFields(draft: StatefulSet, old: DeepReadonly<StatefulSet> | undefined, warn: StrategyContext['warn']): void {
  const rolling = draft.spec?.updateStrategy?.rollingUpdate;
  if (rolling?.maxUnavailable !== undefined && old?.spec?.updateStrategy?.rollingUpdate?.maxUnavailable === undefined) {
    delete rolling.maxUnavailable;
    warn?.('spec.updateStrategy.rollingUpdate.maxUnavailable: not supported; the field was dropped');
  }
  dropDisabledPodFields(draft.spec?.template.spec, old?.spec?.template.spec, 'spec.template.spec', warn);
}

function statefulSetWarnings(statefulSet: DeepReadonly<StatefulSet>, old?: DeepReadonly<StatefulSet>): string[] {
  const changed = old === undefined || generationChanged(statefulSet, old);
  const claims = (statefulSet.spec?.volumeClaimTemplates ?? []).flatMap((claim, i) =>
    claimSpecWarnings(claim.spec, `spec.volumeClaimTemplates[${i}]${old === undefined ? '' : '.Spec'}`),
  );
  return [
    ...(changed ? templateWarnings(statefulSet.spec?.template) : []),
    ...claims,
    ...((statefulSet.spec?.revisionHistoryLimit ?? 0) < 0
      ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
      : []),
  ];
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
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.kind = 'PersistentVolumeClaim';
    claim.apiVersion = 'v1';
    defaultClaimSpec((claim.spec ??= {}));
    claim.status ??= {};
    claim.status.phase ||= 'Pending';
  }
  defaultPodSpec((spec.template.spec ??= { containers: [] }));
}
