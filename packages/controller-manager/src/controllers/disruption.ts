import {
  deployment as deployments,
  pod as pods,
  podDisruptionBudget as budgets,
  replicaSet as replicaSets,
  replicationController as replicationControllers,
  statefulSet as statefulSets,
  type PodDisruptionBudget,
} from '@skiff/api';
import { hasReason, keyOf, type DeepReadonly, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import { controllerOf, defineController, mapped, primary, type Source, type SourceContext } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { computeBudget, failSafeStatus, needsScale, sameBudgetStatus, type BudgetView, type PodView } from '../disruption/budget.ts';
import { createFindScale } from '../disruption/controller-scale.ts';
import { labelSelectorMatcher } from '../label-selector.ts';
import { messageOf } from '../pods/pod-control.ts';
import { isReady } from '../pods/pod-state.ts';

const selects = (budget: BudgetView, labels: Readonly<Record<string, string>> | undefined): boolean =>
  labelSelectorMatcher(budget.spec?.selector)(labels);

function budgetsOf(
  labels: Readonly<Record<string, string>> | undefined,
  namespace: string | undefined,
  { informers }: SourceContext,
): readonly string[] {
  return informers
    .informer(budgets)
    .list(namespace)
    .filter((b) => selects(b, labels))
    .map((b) => keyOf(b));
}

/** A controller that changes its size changes what its pods' budgets want. */
const scaleSource = <
  T extends KubeObject & { spec?: { replicas?: number; template?: { metadata?: { labels?: Record<string, string> } } } },
>(
  resource: ResourceRef<T>,
): Source =>
  mapped(
    resource,
    (object: DeepReadonly<T>, context) => {
      const spec = object.spec as
        | { readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } } }
        | undefined;
      return budgetsOf(spec?.template?.metadata?.labels, object.metadata?.namespace, context);
    },
    {
      changed: (a, b) =>
        (a.spec as { replicas?: number } | undefined)?.replicas !== (b.spec as { replicas?: number } | undefined)?.replicas,
    },
  );

const podFacts = (pod: PodView): string =>
  JSON.stringify([pod.metadata?.labels, isReady(pod), pod.metadata?.deletionTimestamp !== undefined, controllerOf(pod)?.uid]);

/** Keeps the status of PodDisruptionBudgets, by which evictions are allowed or refused. */
export const disruptionController: ControllerDescriptor = {
  name: 'disruption-controller',
  eventComponent: 'controllermanager',
  define: () =>
    defineController({
      name: 'disruption-controller',
      concurrency: 2,
      sources: [
        primary(budgets),
        mapped(pods, (pod, context) => budgetsOf(pod.metadata?.labels, pod.metadata?.namespace, context), {
          changed: (a, b) => podFacts(a) !== podFacts(b),
        }),
        scaleSource(deployments),
        scaleSource(replicaSets),
        scaleSource(replicationControllers),
        scaleSource(statefulSets),
      ],
      create: ({ client: plainClient, informers, clock, events }) => {
        const budgetInformer = informers.informer(budgets);
        const podInformer = informers.informer(pods);
        const findScale = createFindScale({ client: plainClient, informers, clock });

        /** The pods' controllers' sizes together. Pods without a controller can't be expected. */
        const totalScale = async (selected: readonly PodView[], signal: AbortSignal): Promise<{ scale: number; unmanaged: number }> => {
          const scales = new Map<string, number>();
          let unmanaged = 0;
          for (const pod of selected) {
            const reference = controllerOf(pod);
            if (reference === undefined) unmanaged += 1;
            else if (!scales.has(reference.uid)) {
              const found = await findScale(reference, pod.metadata?.namespace ?? '', signal);
              if (found === undefined) throw new Error(`found no controllers for pod "${pod.metadata?.name ?? ''}"`);
              scales.set(found.uid, found.replicas);
            }
          }
          return { scale: [...scales.values()].reduce((a, b) => a + b, 0), unmanaged };
        };

        return async (key, { client, signal, log }) => {
          const budget = budgetInformer.get(key);
          if (budget === undefined || budget.metadata?.deletionTimestamp !== undefined) return undefined;
          const write = async (status: NonNullable<PodDisruptionBudget['status']>): Promise<void> => {
            if (!sameBudgetStatus(budget.status, status))
              await client.updateStatus(budgets, { ...(structuredClone(budget) as PodDisruptionBudget), status }, { signal });
          };
          const selected = podInformer.list(key.namespace).filter((pod) => selects(budget, pod.metadata?.labels));
          if (selected.length === 0) events.event(budget, 'Normal', 'NoPods', 'No matching pods found');
          let scale = 0;
          try {
            if (needsScale(budget)) {
              const total = await totalScale(selected, signal);
              scale = total.scale;
              if (total.unmanaged > 0)
                events.event(
                  budget,
                  'Warning',
                  'UnmanagedPods',
                  `${total.unmanaged} of the selected pods have no controller, so the number of pods that should be there is not known; an integer in ".spec.minAvailable" works for them too.`,
                );
            }
          } catch (error) {
            if (signal.aborted) throw error;
            events.event(
              budget,
              'Warning',
              'CalculateExpectedPodCountFailed',
              `Failed to calculate the number of expected pods: ${messageOf(error)}`,
            );
            log.warn({ error: messageOf(error) }, 'no eviction is allowed: the number of expected pods is not known');
            await write(failSafeStatus(budget, messageOf(error), clock.now()));
            return undefined;
          }
          const result = computeBudget({ budget, pods: selected, scale, nowMs: clock.now() });
          for (const pod of result.notDeleted)
            events.event(
              pod,
              'Warning',
              'NotDeleted',
              `Pod was expected by PDB ${key.namespace ?? ''}/${key.name} to be deleted but it wasn't`,
            );
          try {
            await write(result.status);
          } catch (error) {
            if (!hasReason(error, 'NotFound')) throw error;
          }
          return result.recheckAfterMs === undefined ? undefined : { requeueAfterMs: result.recheckAfterMs };
        };
      },
    }),
};
