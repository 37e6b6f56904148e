import { readHostPorts } from '../network/host-port.ts';
import { readdir } from 'node:fs/promises';
import type { Pod } from '@skiff/api';
import type { InformerHandler } from '@skiff/client';
import type { DeepReadonly } from '@skiff/apimachinery';
import { aborted, supervise } from '@skiff/component-base';
import type { PodSandbox } from '@skiff/cri';
import { nothingObserved } from '../actions/observed-pod.ts';
import { annotationNames } from '../container/labels.ts';
import { podsDirectory } from '../volumes/pod-paths.ts';
import type { PodSource } from '../static-pods/static-pods.ts';
import { observePod } from './observe.ts';
import { restorePod } from './orphan.ts';
import type { PodContext } from './pod-context.ts';
import { type PodSnapshot, snapshotPod } from './pod-snapshot.ts';
import { PodWorker } from './pod-worker.ts';

export interface PodManager {
  run(signal: AbortSignal): Promise<void>;
  /** Pods of this node as they are known, those that are ending included. */
  pods(): readonly PodSnapshot[];
  workers(): readonly PodWorker[];
  find(namespace: string, name: string): PodWorker | undefined;
  byUid(uid: string): PodWorker | undefined;
  poke(uids: Iterable<string>): void;
  /** How long ago all of the runtime's containers were last compared with what is known. */
  relistAgeMs(): number;
  /** Resolves when what ran before this kubelet was taken over. */
  readonly adopted: Promise<void>;
}

const relistMs = 60_000;
const housekeepingMs = 30_000;
/** Links to logs go with their pods; what a lost pod left can wait. */
const linkSweepMs = 300_000;

/** Keeps one worker for each pod of the node, and ends what runs for pods that are gone. */
export function createPodManager(deps: { source: PodSource; context: () => PodContext }): PodManager {
  const workers = new Map<string, PodWorker>();
  let markAdopted: () => void = () => undefined;
  const adopted = new Promise<void>((resolve) => {
    markAdopted = resolve;
  });
  /** UIDs that the runtime had something of when this kubelet started. */
  let before = new Set<string>();
  let root: AbortSignal = new AbortController().signal;
  /** undefined: the first time is still to come. */
  let relistedAtMs: number | undefined;
  let linksDueMs = 0;

  /** Other pods of that name: after a partition, one that was deleted by force may still run here when its successor comes. */
  const namesakesOf = (pod: PodSnapshot): readonly PodWorker[] =>
    [...workers.values()].filter(
      (w) =>
        w.pod.metadata.name === pod.metadata.name &&
        w.pod.metadata.namespace === pod.metadata.namespace &&
        w.pod.metadata.uid !== pod.metadata.uid,
    );
  const startWorker = (pod: PodSnapshot): PodWorker => {
    const { uid } = pod.metadata;
    const fresh = !before.has(uid);
    const namesake = namesakesOf(pod).map((w) => w.done);
    if (namesake.length > 0)
      deps
        .context()
        .log.info({ uid, pod: pod.metadata.name, namespace: pod.metadata.namespace }, 'waits for the end of an older pod of its name');
    const worker = new PodWorker(pod, {
      context: deps.context(),
      signal: root,
      ...(fresh ? { observed: nothingObserved } : {}),
      ...(namesake.length > 0 ? { after: Promise.all(namesake).then(() => undefined) } : {}),
    });
    workers.set(uid, worker);
    void worker.done.then(() => {
      workers.delete(uid);
      // A static pod whose manifest went and came back is the same pod, and wanted again after its end.
      const again = root.aborted ? undefined : deps.source.list().find((p) => p.metadata?.uid === uid);
      if (again !== undefined) apply(again);
    });
    return worker;
  };
  const apply = (object: DeepReadonly<Pod>): void => {
    const pod = snapshotPod(object);
    if (pod === undefined) return;
    const present = workers.get(pod.metadata.uid);
    if (present === undefined) startWorker(pod);
    else present.update(pod);
  };
  const handler: InformerHandler<Pod> = {
    onAdd: apply,
    onUpdate: (pod, old) => {
      // The same name may be another pod by now.
      if (old.metadata?.uid !== pod.metadata?.uid) workers.get(old.metadata?.uid ?? '')?.remove();
      apply(pod);
    },
    onDelete: (pod) => workers.get(pod.metadata?.uid ?? '')?.remove(),
  };

  const adopt = async (): Promise<void> => {
    const { runtime, network, log } = deps.context();
    const [sandboxes, containers] = await Promise.all([runtime.listPodSandbox(), runtime.listContainers()]);
    before = new Set([...sandboxes.map((s) => s.metadata.uid), ...containers.map((c) => c.labels['io.kubernetes.pod.uid'] ?? '')]);
    await Promise.all(
      sandboxes.map(async (s: PodSandbox) => {
        const ips = s.annotations[annotationNames.ips];
        if (ips === undefined || s.state !== 'ready') return;
        const hostPorts = readHostPorts(s.annotations[annotationNames.hostPorts] ?? '[]');
        const owner = { uid: s.metadata.uid, attempt: s.metadata.attempt };
        // One whose record can't be read is its own pod's trouble alone.
        if (hostPorts !== undefined && (await network.adopt(owner, { addresses: ips.split(','), hostPorts }))) return;
        log.warn({ sandbox: s.id, pod: s.metadata.name }, 'a sandbox has lost its network; its pod gets a new one');
        await runtime.stopPodSandbox(s.id);
      }),
    );
    if (before.size > 0)
      log.info({ pods: before.size, running: containers.filter((c) => c.state === 'running').length }, 'took over what was running');
  };

  /** Begins to end containers that no pod of the API stands behind. Returns the UIDs of all pods that the runtime has something of. */
  const endOrphans = async (isKnown: (uid: string) => boolean): Promise<ReadonlySet<string>> => {
    const { runtime, hostMount, log } = deps.context();
    const [sandboxes, containers] = await Promise.all([runtime.listPodSandbox(), runtime.listContainers()]);
    const uids = new Set([...sandboxes.map((s) => s.metadata.uid), ...containers.map((c) => c.labels['io.kubernetes.pod.uid'] ?? '')]);
    // While a URL is silent nobody knows which of its pods are still wanted.
    const undecided = new Set(
      deps.source.urlAwaited?.() === true
        ? sandboxes.filter((s) => s.annotations[annotationNames.source] === 'http').map((s) => s.metadata.uid)
        : [],
    );
    const end = async (uid: string): Promise<void> => {
      const observed = await observePod(uid, new Map(), { runtime, hostMount });
      if (isKnown(uid) || (observed.sandboxes.length === 0 && observed.containers.length === 0)) return;
      log.info({ uid }, 'ending containers of a pod that is gone');
      before.add(uid);
      startWorker(restorePod(uid, observed.sandboxes, observed.containers)).remove();
    };
    for (const uid of uids) {
      if (uid === '' || isKnown(uid) || undecided.has(uid)) continue;
      await end(uid).catch((error: unknown) => log.error({ err: error, uid }, 'containers of a pod that is gone could not be ended'));
    }
    return uids;
  };
  /** Files and cgroups that pods left. */
  const sweep = async (): Promise<void> => {
    const context = deps.context();
    const { hostMount, volumes, cgroups } = context;
    const uids = await endOrphans((uid) => workers.has(uid));
    const nowMs = context.clock.monotonicMs();
    // Where the engine's files can't be seen, every link would look broken.
    if (nowMs >= linksDueMs && hostMount.local('/') === '/') {
      linksDueMs = nowMs + linkSweepMs;
      await context.logLinks.sweep();
    }
    const removeRest = async (uid: string): Promise<void> => {
      await volumes.tearDown(uid);
      await cgroups.remove(uid);
    };
    const onDisk = await readdir(hostMount.local(podsDirectory(context.rootDirectory))).catch(() => [] as string[]);
    for (const uid of new Set([...onDisk, ...(await cgroups.listIdle())])) {
      if (workers.has(uid) || uids.has(uid)) continue;
      // One that can't be removed yet (its driver is away, say) must not keep the others.
      await removeRest(uid).catch((error: unknown) => context.log.error({ err: error, uid }, 'what is left of a pod could not be removed'));
    }
  };

  const followEvents = async (signal: AbortSignal): Promise<void> => {
    for await (const event of deps.context().runtime.events(signal)) {
      if (event.type !== 'resync') workers.get(event.podUid)?.onRuntimeEvent(event);
      else {
        await deps.context().hostMount.refresh();
        for (const w of workers.values()) w.invalidate();
      }
    }
  };
  /** The net below the events: what changed without one is found here. */
  const relist = async (signal: AbortSignal): Promise<void> => {
    const { clock, runtime } = deps.context();
    // One that fails starts again here, and is no younger for that.
    relistedAtMs ??= clock.monotonicMs();
    while (!signal.aborted) {
      await clock.sleep(relistMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      const running = new Set((await runtime.listContainers({ state: 'running' })).map((c) => c.id));
      const sandboxes = new Set((await runtime.listPodSandbox({ state: 'ready' })).map((s) => s.id));
      for (const w of workers.values()) {
        const lost =
          w.observed.containers.some((c) => (c.state === 'running') !== running.has(c.id)) ||
          w.observed.sandboxes.some((s) => (s.state === 'ready') !== sandboxes.has(s.id));
        if (lost) w.invalidate();
      }
      relistedAtMs = clock.monotonicMs();
    }
  };
  const housekeeping = async (signal: AbortSignal): Promise<void> => {
    const { clock, log } = deps.context();
    while (!signal.aborted) {
      await sweep().catch((error: unknown) => log.error({ err: error }, 'housekeeping failed'));
      await clock.sleep(housekeepingMs, signal).catch(() => undefined);
    }
  };

  /** Static pods don't wait for the API. */
  const startEarly = async (signal: AbortSignal): Promise<Disposable | undefined> => {
    const { early } = deps.source;
    if (early === undefined) return undefined;
    await Promise.race([early.ready, aborted(signal)]);
    return signal.aborted ? undefined : early.subscribe(handler);
  };

  return {
    adopted,
    relistAgeMs: () => (relistedAtMs === undefined ? 0 : deps.context().clock.monotonicMs() - relistedAtMs),
    pods: () => [...workers.values()].map((w) => w.pod),
    workers: () => [...workers.values()],
    byUid: (uid) => workers.get(uid),
    find: (namespace, name) => {
      const found = [...workers.values()].filter((w) => w.pod.metadata.namespace === namespace && w.pod.metadata.name === name);
      // An old pod of that name may still be ending.
      return found.find((w) => w.pod.metadata.deletionTimestamp === undefined) ?? found[0];
    },
    poke: (uids) => {
      for (const uid of uids) workers.get(uid)?.poke();
    },
    run: async (signal) => {
      root = signal;
      const { clock, log } = deps.context();
      for (let delayMs = 250; !signal.aborted; delayMs = Math.min(delayMs * 2, 10_000)) {
        try {
          await adopt();
          break;
        } catch (error) {
          log.error({ err: error }, 'what runs could not be read from the runtime; trying again');
          await clock.sleep(delayMs, signal).catch(() => undefined);
        }
      }
      const following = Promise.all([
        supervise('runtime events', followEvents, { signal, clock, log }),
        supervise('relist', relist, { signal, clock, log }),
      ]);
      using _early = await startEarly(signal);
      await Promise.race([deps.source.synced, aborted(signal)]);
      if (signal.aborted) {
        await Promise.all([following, ...[...workers.values()].map((w) => w.done)]);
        return;
      }
      // Who comes back after a long absence ends what is no longer wanted here before it starts anything new.
      const wanted = new Set(deps.source.list().map((pod) => pod.metadata?.uid ?? ''));
      await endOrphans((uid) => wanted.has(uid) || workers.has(uid)).catch((error: unknown) =>
        log.error({ err: error }, 'what is left of former pods could not be found; housekeeping will'),
      );
      using _subscription = signal.aborted ? undefined : deps.source.subscribe(handler);
      markAdopted();
      await Promise.all([following, supervise('housekeeping', housekeeping, { signal, clock, log })]);
      await Promise.all([...workers.values()].map((w) => w.done));
    },
  };
}
