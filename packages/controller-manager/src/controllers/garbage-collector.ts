import { createWorkQueue, resourceId } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { createCollector } from '../garbage-collector/collector.ts';
import { createMonitors } from '../garbage-collector/monitors.ts';
import { OwnerGraph } from '../garbage-collector/owner-graph.ts';
import { sharedResources } from '../shared-resources.ts';

const concurrency = 20;
/** Changes of CRDs and APIServices bring a refresh at once; this catches the rest (an aggregated server's own changes). */
const refreshMs = 5 * 60_000;
const syncTimeoutMs = 30_000;
/** Discovery follows a CRD after a moment: look soon, and once more. */
const refreshDelaysMs = [500, 5_000];
const definesResources: ReadonlySet<string> = new Set(['CustomResourceDefinition', 'APIService']);

/** Deletes what has lost its owners, and carries out foreground and orphaning deletion, over all resources there are. */
export const garbageCollector: ControllerDescriptor = {
  name: 'garbage-collector-controller',
  run: async (context, signal) => {
    const log = context.log.child({ controller: 'garbage-collector-controller' });
    const { clock, client } = context;
    const deletes = createWorkQueue<string>({}, { clock, log });
    const orphans = createWorkQueue<string>({}, { clock, log });
    const queue = { attemptToDelete: (uid: string) => deletes.add(uid), attemptToOrphan: (uid: string) => orphans.add(uid) };
    const refreshes = createWorkQueue<number>({}, { clock, log });
    const resourcesChanged = (kind: string): void => {
      if (definesResources.has(kind)) for (const delayMs of refreshDelaysMs) refreshes.addAfter(delayMs, delayMs);
    };
    const graph = new OwnerGraph(queue);
    const monitors = createMonitors(
      {
        shared: new Set(sharedResources.map(resourceId)),
        sink: {
          observe: (resource, object) => {
            graph.observe(resource, object.metadata ?? {});
            resourcesChanged(resource.kind);
          },
          forget: (uid) => {
            const node = graph.get(uid);
            if (node === undefined) return;
            collector.noteAbsent(node);
            graph.forget(uid);
            resourcesChanged(node.kind);
          },
        },
      },
      { ...context, log },
    );
    const collector = createCollector({ client, graph, queue, events: context.events, log, resourceOf: monitors.resourceOf });

    await monitors.refresh(signal);
    await monitors.synced(syncTimeoutMs, signal);
    log.info({ objects: graph.size }, 'garbage collection started');
    const worker =
      (q: typeof deletes, work: (uid: string, s: AbortSignal) => Promise<void>) =>
      async (uid: string, s: AbortSignal): Promise<void> => {
        try {
          await work(uid, s);
          q.forget(uid);
        } catch (error) {
          if (s.aborted) return;
          log.debug({ uid, err: error }, 'garbage collection of an object failed; trying again');
          q.retry(uid);
        }
      };
    await Promise.all([
      deletes.process(worker(deletes, collector.attemptToDelete), { concurrency, signal }),
      orphans.process(worker(orphans, collector.attemptToOrphan), { concurrency, signal }),
      refreshes.process(
        async (key, s) => {
          try {
            await monitors.refresh(s);
            refreshes.forget(key);
            refreshes.addAfter(refreshMs, refreshMs);
          } catch (error) {
            if (s.aborted) return;
            log.warn({ err: error }, 'could not refresh the monitored resources; trying again');
            refreshes.retry(key);
          }
        },
        { concurrency: 1, signal },
      ),
    ]);
    await monitors.stopped();
  },
};
