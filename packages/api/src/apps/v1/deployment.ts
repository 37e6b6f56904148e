import type { DeepReadonly } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { Deployment } from '../../generated/types/apps-v1.ts';
import { bumpGeneration, keepField, scaleSubresource, specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { defaultPodSpec } from '../../core/v1/pod/default-pod-spec.ts';
import { sameStringMap } from '../../semantic-equality.ts';
import { nameWarning } from '../../name-warning.ts';
import { age, containerCells, containerColumns, defineTable, labelSelectorText, nameColumn, nameOf, wide } from '../../table.ts';

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
      prepareForUpdate(draft, old) {
        // Annotations count: the controller copies them to its ReplicaSets.
        if (!sameStringMap(draft.metadata?.annotations, old.metadata?.annotations)) bumpGeneration(draft, old);
      },
      warnings: (deployment, old) => (old ? [] : nameWarning(deployment, 'Pod names and hostnames')),
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
    status: statusSubresource('Deployment', statusStrategy({ prepareForUpdate: keepLabels })),
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
