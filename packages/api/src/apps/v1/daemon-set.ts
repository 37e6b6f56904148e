import { type DeepReadonly, nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { DaemonSet } from '../../generated/types/apps-v1.ts';
import { specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { defaultPodSpec } from '../../core/v1/pod/default-pod-spec.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import {
  age,
  containerCells,
  containerColumns,
  defineTable,
  formatLabels,
  formatLabelSelector,
  integer,
  nameColumn,
  nameOf,
  wide,
} from '../../table.ts';
import { dropDisabledPodFields } from '../../core/v1/pod/drop-disabled.ts';
import { templateWarnings } from '../../core/v1/pod-template-validation.ts';
import { validateDaemonSet, validateDaemonSetStatus, validateDaemonSetUpdate } from './validate-daemon-set.ts';

export const daemonSet = defineResource<DaemonSet>({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  scope: 'Namespaced',
  shortNames: ['ds'],
  categories: ['all'],
  schemaName: 'io.k8s.api.apps.v1.DaemonSet',
  storageVersionHash: 'dd7pWHUlMKQ=',
  resetFields: ['status'],
  defaults: defaultDaemonSet,
  strategy: specStrategy<DaemonSet>(
    { generation: { spec: 'io.k8s.api.apps.v1.DaemonSetSpec' } },
    {
      validateName: nameIsDNSSubdomain,
      prepareForCreate(draft, { warn }) {
        startTemplateGeneration(draft);
        dropDisabledPodFields(draft.spec?.template.spec, undefined, 'spec.template.spec', warn);
      },
      prepareForUpdate(draft, old, { warn }) {
        dropDisabledPodFields(draft.spec?.template.spec, old.spec?.template.spec, 'spec.template.spec', warn);
        countTemplateGeneration(draft, old);
      },
      validate: (daemonSet, errors) => validateDaemonSet(daemonSet, errors),
      validateUpdate: validateDaemonSetUpdate,
      warnings: (daemonSet, old) =>
        old && templateGeneration(daemonSet) === templateGeneration(old) ? [] : templateWarnings(daemonSet.spec?.template),
    },
  ),
  table: defineTable(
    [
      nameColumn,
      integer('Desired'),
      integer('Current'),
      integer('Ready'),
      integer('Up-to-date'),
      integer('Available'),
      'Node Selector',
      'Age',
      ...containerColumns,
      wide('Selector'),
    ],
    (d, nowMs) => [
      nameOf(d),
      d.status?.desiredNumberScheduled ?? 0,
      d.status?.currentNumberScheduled ?? 0,
      d.status?.numberReady ?? 0,
      d.status?.updatedNumberScheduled ?? 0,
      d.status?.numberAvailable ?? 0,
      formatLabels(d.spec?.template.spec?.nodeSelector),
      age(d, nowMs),
      ...containerCells(d.spec?.template.spec?.containers),
      formatLabelSelector(d.spec?.selector),
    ],
  ),
  subresources: {
    status: statusSubresource('DaemonSet', statusStrategy({ validateUpdate: validateDaemonSetStatus })),
  },
});

/** `templateGeneration` is gone from v1, where an annotation still shows it. */
const templateGenerationAnnotation = 'deprecated.daemonset.template.generation';

const templateGeneration = (daemonSet: DeepReadonly<DaemonSet>): number =>
  Number(daemonSet.metadata?.annotations?.[templateGenerationAnnotation] ?? 0);

function setTemplateGeneration(draft: DaemonSet, generation: number): void {
  const meta = (draft.metadata ??= {});
  meta.annotations = { ...meta.annotations, [templateGenerationAnnotation]: String(generation) };
}

function startTemplateGeneration(draft: DaemonSet): void {
  const written = templateGeneration(draft);
  setTemplateGeneration(draft, Number.isInteger(written) && written >= 1 ? written : 1);
}

function countTemplateGeneration(draft: DaemonSet, old: DeepReadonly<DaemonSet>): void {
  const changed = !semanticEqual('io.k8s.api.core.v1.PodTemplateSpec', draft.spec?.template, old.spec?.template);
  setTemplateGeneration(draft, templateGeneration(old) + (changed ? 1 : 0));
}

function defaultDaemonSet(daemonSet: DaemonSet): void {
  if (daemonSet.metadata?.annotations?.[templateGenerationAnnotation] === undefined) setTemplateGeneration(daemonSet, 0);
  const spec = daemonSet.spec;
  if (spec === undefined) return;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  defaultPodSpec((spec.template.spec ??= { containers: [] }));
}
