import { type DeepReadonly, nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { Deployment } from '../../generated/types/apps-v1.ts';
import {
  bumpGeneration,
  generationChanged,
  keepField,
  scaleSubresource,
  specStrategy,
  statusStrategy,
  statusSubresource,
} from '../../spec-and-status.ts';
import { defaultPodSpec } from '../../core/v1/pod/default-pod-spec.ts';
import { sameStringMap } from '../../semantic-equality.ts';
import { nameWarning } from '../../name-warning.ts';
import { age, containerCells, containerColumns, defineTable, labelSelectorText, nameColumn, nameOf, wide } from '../../table.ts';
import { dropDisabledPodFields } from '../../core/v1/pod/drop-disabled.ts';
import { templateWarnings } from '../../core/v1/pod-template-validation.ts';
import { validateDeployment, validateDeploymentStatus, validateDeploymentUpdate } from './validate-deployment.ts';

export const deployment = defineResource<Deployment>({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  scope: 'Namespaced',
  shortNames: ['deploy'],
  categories: ['all'],
  schemaName: 'io.k8s.api.apps.v1.Deployment',
  storageVersionHash: '8aSe+NMegvE=',
  resetFields: ['status'],
  defaults: defaultDeployment,
  strategy: specStrategy<Deployment>(
    { generation: { spec: 'io.k8s.api.apps.v1.DeploymentSpec' } },
    {
      validateName: nameIsDNSSubdomain,
      prepareForCreate(draft, { warn }) {
        dropDisabledPodFields(draft.spec?.template.spec, undefined, 'spec.template.spec', warn);
      },
      prepareForUpdate(draft, old, { warn }) {
        dropDisabledPodFields(draft.spec?.template.spec, old.spec?.template.spec, 'spec.template.spec', warn);
        // Annotations count: the controller copies them to its ReplicaSets.
        if (!sameStringMap(draft.metadata?.annotations, old.metadata?.annotations)) bumpGeneration(draft, old);
      },
      validate: (deployment, errors) => validateDeployment(deployment, errors),
      validateUpdate: validateDeploymentUpdate,
      warnings(deployment, old) {
        if (old && !generationChanged(deployment, old)) return [];
        return [...(old ? [] : nameWarning(deployment, 'Pod names and hostnames')), ...templateWarnings(deployment.spec?.template)];
      },
    },
  ),
  table: defineTable([nameColumn, 'Ready', 'Up-to-date', 'Available', 'Age', ...containerColumns, wide('Selector')], (d, nowMs) => [
    nameOf(d),
    `${d.status?.readyReplicas ?? 0}/${d.spec?.replicas ?? 0}`,
    d.status?.updatedReplicas ?? 0,
    d.status?.availableReplicas ?? 0,
    age(d, nowMs),
    ...containerCells(d.spec?.template.spec?.containers),
    labelSelectorText(d.spec?.selector),
  ]),
  subresources: {
    scale: scaleSubresource,
    status: statusSubresource('Deployment', statusStrategy({ prepareForUpdate: keepLabels, validateUpdate: validateDeploymentStatus })),
  },
});

/** A status write must not carry labels in: old controllers wrote back stale ones. */
function keepLabels(draft: Deployment, old: DeepReadonly<Deployment>): void {
  keepField((draft.metadata ??= {}), old.metadata ?? {}, 'labels');
}

function defaultDeployment(deployment: Deployment): void {
  const spec = deployment.spec;
  if (spec === undefined) return;
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  defaultPodSpec((spec.template.spec ??= { containers: [] }));
}
