import { node as nodes, pod as pods, type Pod } from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import { createInformer, type Client } from '@skiff/client';
import { formatTime, silentLogger, systemClock } from '@skiff/component-base';

/** Annotation of a pod: `exit N` ends it with that code, `unready` keeps it from becoming ready. */
export const behaviour = 'test/behaviour';

/** Binds and "runs" pods without running anything: what scheduler and kubelets would do, in no time. */
export async function runHollowNodes(client: Client, names: readonly string[], signal: AbortSignal): Promise<void> {
  for (const name of names) {
    await client.create(nodes, { metadata: { name } });
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: formatTime(Date.now()) }];
    await client.patch(nodes, { name }, { type: 'strategic', subresource: 'status', body: { status: { conditions } } });
  }
  let next = 0;
  const step = async (pod: DeepReadonly<Pod>): Promise<void> => {
    const key = { namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '' };
    const wish = pod.metadata?.annotations?.[behaviour] ?? '';
    if (pod.metadata?.deletionTimestamp !== undefined) {
      if (pod.spec?.nodeName) await client.delete(pods, key, { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid ?? '' } });
    } else if (!pod.spec?.nodeName) {
      const named =
        pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0]?.matchFields?.[0]
          ?.values?.[0];
      const target = { apiVersion: 'v1', kind: 'Node', name: named ?? names[next++ % names.length] };
      await client.createSubresource(pods, key, 'binding', { apiVersion: 'v1', kind: 'Binding', metadata: key, target });
    } else if (pod.status?.phase === 'Pending') {
      const now = formatTime(Date.now());
      const ip = `10.77.${Math.floor(next / 250)}.${(next++ % 250) + 1}`;
      const exit = /^exit (\d+)$/.exec(wish)?.[1];
      const ready = wish !== 'unready' && exit === undefined;
      const state =
        exit === undefined ? { running: { startedAt: now } } : { terminated: { exitCode: Number(exit), startedAt: now, finishedAt: now } };
      const status = {
        phase: exit === undefined ? 'Running' : exit === '0' ? 'Succeeded' : 'Failed',
        podIP: ip,
        podIPs: [{ ip }],
        conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: now }],
        containerStatuses: pod.spec.containers.map((c) => ({
          name: c.name,
          image: c.image ?? '',
          imageID: '',
          ready,
          restartCount: 0,
          state,
        })),
      };
      await client.patch(pods, key, { type: 'strategic', subresource: 'status', body: { status } });
    }
  };
  const informer = createInformer(pods, {}, { client, clock: systemClock, log: silentLogger });
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const started = new Set<string>();
  const handle = (pod: DeepReadonly<Pod>): void => {
    // Each step of a pod once, however often it is seen on the way.
    const stage = pod.metadata?.deletionTimestamp !== undefined ? 'ends' : !pod.spec?.nodeName ? 'waits' : (pod.status?.phase ?? '');
    const id = `${pod.metadata?.uid ?? ''} ${stage}`;
    if (started.has(id)) return;
    started.add(id);
    // As a kubelet does, until nobody else wrote at the same time. A pod of that UID may be gone.
    const persistently = (): Promise<void> =>
      step(pod).catch((error: unknown) => {
        if (signal.aborted || hasReason(error, 'NotFound')) return undefined;
        if (hasReason(error, 'Conflict') && stage !== 'ends' && stage !== 'waits') return persistently();
        if (!hasReason(error, 'Conflict')) failures.push(error);
      });
    const work = persistently().finally(() => running.delete(work));
    running.add(work);
  };
  informer.subscribe({ onAdd: handle, onUpdate: handle });
  await informer.run(signal);
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
