import { deployment as deployments, pod as pods, replicaSet as replicaSets } from '@skiff/api';
import { keyOf } from '@skiff/apimachinery';
import { controllerOf, defineController, mapped, ownedBy, primary, refersTo, type SourceContext } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { claimChildren } from '../claim.ts';
import { DeploymentRun } from '../deployment/reconcile-deployment.ts';
import { isEmptySelector, labelSelectorMatcher } from '../label-selector.ts';
import { byControllerUid, controllerUidIndex } from '../owner-references.ts';

/** Deployments whose pod it was, for Recreate: it waits until the last old pod is gone. */
function recreatedBy(pod: Parameters<typeof controllerOf>[0], { informers }: SourceContext): readonly string[] {
  const setReference = controllerOf(pod);
  if (setReference === undefined || !refersTo(setReference, replicaSets)) return [];
  const namespace = pod.metadata?.namespace ?? '';
  const set = informers.informer(replicaSets).get({ namespace, name: setReference.name });
  const reference = set === undefined ? undefined : controllerOf(set);
  if (reference === undefined || !refersTo(reference, deployments)) return [];
  const owner = informers.informer(deployments).get({ namespace, name: reference.name });
  return owner?.spec?.strategy?.type === 'Recreate' ? [keyOf(owner)] : [];
}

/** Rolls a Deployment's template out over ReplicaSets: rolling or recreate, scaling in proportion, pause, deadline, history. */
export const deploymentController: ControllerDescriptor = {
  name: 'deployment-controller',
  define: () =>
    defineController({
      name: 'deployment-controller',
      concurrency: 5,
      sources: [
        primary(deployments),
        ownedBy(deployments, replicaSets),
        mapped(replicaSets, (set, { informers }) =>
          controllerOf(set) !== undefined || set.metadata?.deletionTimestamp !== undefined
            ? []
            : informers
                .informer(deployments)
                .list(set.metadata?.namespace)
                .filter((d) => labelSelectorMatcher(d.spec?.selector)(set.metadata?.labels))
                .map((d) => keyOf(d)),
        ),
        mapped(pods, recreatedBy, { changed: (pod, old) => pod.status?.phase !== old.status?.phase }),
      ],
      create: (context) => {
        const informer = context.informers.informer(deployments);
        const sets = context.informers.informer(replicaSets);
        sets.addIndex(controllerUidIndex, byControllerUid);
        context.informers.informer(pods).addIndex(controllerUidIndex, byControllerUid);
        return async (key, run) => {
          const deployment = informer.get(key);
          if (deployment === undefined) return undefined;
          const selector = deployment.spec?.selector;
          if (selector !== undefined && isEmptySelector(selector)) {
            context.events.event(
              deployment,
              'Warning',
              'SelectingAll',
              'This deployment is selecting all pods. A non-empty selector is required.',
            );
            return undefined;
          }
          const matches = labelSelectorMatcher(selector);
          const candidates = [
            ...sets.byIndex(controllerUidIndex, deployment.metadata?.uid ?? ''),
            ...sets.byIndex(controllerUidIndex, `orphan/${key.namespace ?? ''}`),
          ];
          const owned = await claimChildren(candidates, {
            owner: deployment,
            ownerResource: deployments,
            childResource: replicaSets,
            matches: (set) => matches(set.metadata?.labels),
            client: run.client,
            signal: run.signal,
          });
          return await new DeploymentRun({ deployment, sets: owned, context, run }).reconcile();
        };
      },
    }),
};
