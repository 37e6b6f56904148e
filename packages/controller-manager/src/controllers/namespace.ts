import { namespace as namespaces, pod as pods, type Namespace } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { defineController, mapped, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { deleteNamespaceContent } from '../namespace/delete-content.ts';
import { computeDeletionConditions } from '../namespace/deletion-conditions.ts';

const finalizer = 'kubernetes';
/** Content that a finalizer or a grace period keeps is looked at again within this. */
const lookAgainMaxSeconds = 8;

/** Empties namespaces that are being deleted, pods first, and then lets them go. */
export const namespaceController: ControllerDescriptor = {
  name: 'namespace-controller',
  define: () =>
    defineController({
      name: 'namespace-controller',
      concurrency: 10,
      retryInitialMs: 250,
      retryMaxMs: 60_000,
      sources: [
        primary(namespaces),
        // The last pod's end is what a terminating namespace mostly waits for.
        mapped(
          pods,
          (pod, { informers }) => {
            const name = pod.metadata?.namespace ?? '';
            return informers.informer(namespaces).get({ name })?.metadata?.deletionTimestamp === undefined ? [] : [name];
          },
          { changed: () => false },
        ),
      ],
      create: ({ client: plainClient, clock, informers }) => {
        const informer = informers.informer(namespaces);
        return async (key, { client, signal, log }) => {
          if (informer.get(key)?.metadata?.deletionTimestamp === undefined) return undefined;
          let current: Namespace;
          try {
            current = await client.get(namespaces, key, { signal });
            const deletedAt = current.metadata?.deletionTimestamp;
            if (deletedAt === undefined) return undefined;
            if (current.status?.phase !== 'Terminating')
              current = await client.updateStatus(
                namespaces,
                { ...current, status: { ...current.status, phase: 'Terminating' } },
                { signal },
              );
            if ((current.spec?.finalizers ?? []).length === 0) return undefined;

            // The plain client: what is deleted here is not what the fence guards.
            const round = await deleteNamespaceContent({
              client: plainClient,
              namespace: key.name,
              deletedAtMs: Date.parse(deletedAt),
              nowMs: clock.now(),
              signal,
            });
            const conditions = computeDeletionConditions(current.status?.conditions ?? [], round, clock.now());
            if (conditions !== undefined)
              current = await client.updateStatus(namespaces, { ...current, status: { ...current.status, conditions } }, { signal });
            if (round.errors.length > 0) throw new Error(round.errors.join('; '));
            if (round.discoveryFailures.size > 0)
              throw new Error(`the resources of ${[...round.discoveryFailures.keys()].join(', ')} are not known`);
            if (round.estimateSeconds > 0) {
              log.debug({ estimateSeconds: round.estimateSeconds }, 'some content remains in the namespace');
              return { requeueAfterMs: Math.min(round.estimateSeconds / 2 + 1, lookAgainMaxSeconds) * 1000 };
            }
            const spec = { ...current.spec, finalizers: (current.spec?.finalizers ?? []).filter((f) => f !== finalizer) };
            await plainClient.update(namespaces, { ...current, spec }, { subresource: 'finalize', signal });
          } catch (error) {
            if (!hasReason(error, 'NotFound')) throw error;
          }
          return undefined;
        };
      },
    }),
};
