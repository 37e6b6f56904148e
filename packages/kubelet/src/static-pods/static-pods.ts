import path from 'node:path';
import { pod as pods, type Node, type Pod } from '@skiff/api';
import { type DeepReadonly, hasReason } from '@skiff/apimachinery';
import type { Client, Informer, InformerHandler } from '@skiff/client';
import { childSignal, type Clock, type Logger } from '@skiff/component-base';
import { type PodSnapshot, snapshotPod } from '../pod/pod-snapshot.ts';
import type { StatusManager } from '../status/status-manager.ts';
import { createManifestSource, joinSources, type ManifestSource } from './manifest-directory.ts';
import { createUrlSource } from './manifest-url.ts';
import { configAnnotations } from './read-manifest.ts';

const isMirror = (pod: DeepReadonly<Pod>): boolean => pod.metadata?.annotations?.[configAnnotations.mirror] !== undefined;
const nameOf = (pod: DeepReadonly<Pod>): string => `${pod.metadata?.namespace}/${pod.metadata?.name}`;

/** How long to wait until what failed is tried again. */
const retryMs = 5_000;

/** All pods of the node, as far as somebody has told of them: the API's without mirrors, and static ones. */
export interface PodSource {
  list(): readonly DeepReadonly<Pod>[];
  subscribe(handler: InformerHandler<Pod>): Disposable;
  /** Resolves when the pods of the API, and static ones, are known. */
  readonly synced: Promise<void>;
  /** Whether static pods of a URL may run here that nobody has told of yet. */
  urlAwaited?(): boolean;
  /** Static pods alone: they run before the API was reached once. */
  readonly early?: {
    readonly ready: Promise<void>;
    subscribe(handler: InformerHandler<Pod>): Disposable;
  };
}

export interface StaticPods extends PodSource {
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Joins static pods (which have no object in the API, and run without it) with the API's, and keeps a mirror of each in the API, so that
 * everybody sees them. A mirror that somebody deletes is made anew; one whose manifest changed is replaced.
 */
export function createStaticPods(
  config: { readonly nodeName: string },
  deps: {
    readonly manifests: ManifestSource;
    readonly informer: Informer<Pod>;
    readonly client: Client;
    readonly node: () => DeepReadonly<Node> | undefined;
    readonly status: () => Pick<StatusManager, 'setMirror'>;
    readonly log: Logger;
  },
): StaticPods {
  const { manifests, informer, client, log } = deps;
  const handlers = new Set<InformerHandler<Pod>>();
  let running = new Map<string, PodSnapshot>();
  let wake: () => void = () => undefined;
  let woken = true;
  const poke = (): void => {
    woken = true;
    wake();
  };

  const tell = (): void => {
    const next = new Map(manifests.pods().map((p) => [p.metadata.uid, p]));
    const gone = [...running.values()].filter((p) => !next.has(p.metadata.uid));
    const fresh = [...next.values()].filter((p) => !running.has(p.metadata.uid));
    running = next;
    for (const p of gone) deps.status().setMirror(p.metadata.uid, undefined);
    for (const h of handlers) {
      for (const p of gone) h.onDelete?.(p as DeepReadonly<Pod>);
      for (const p of fresh) h.onAdd?.(p as DeepReadonly<Pod>);
    }
    poke();
  };

  const createMirror = async (p: PodSnapshot, signal: AbortSignal): Promise<void> => {
    const node = deps.node();
    const uid = node?.metadata?.uid;
    if (uid === undefined) return;
    const { name, namespace, labels, annotations } = p.metadata;
    const hash = annotations?.[configAnnotations.hash] ?? '';
    await client.create<Pod>(
      pods,
      {
        metadata: {
          name,
          namespace,
          ...(labels === undefined ? {} : { labels: { ...labels } }),
          annotations: { ...annotations, [configAnnotations.mirror]: hash },
          ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: config.nodeName, uid, controller: true }],
        },
        spec: structuredClone(p.spec) as NonNullable<Pod['spec']>,
      },
      { signal },
    );
  };
  const deleteMirror = async (m: DeepReadonly<Pod>, signal: AbortSignal): Promise<void> => {
    const { name = '', namespace = '', uid = '' } = m.metadata ?? {};
    await client.delete(pods, { name, namespace }, { gracePeriodSeconds: 0, preconditions: { uid }, signal }).catch((error: unknown) => {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    });
  };
  /** Brings the mirrors in the API to what runs here. */
  const reconcile = async (signal: AbortSignal): Promise<void> => {
    const mirrors = new Map(
      informer
        .list()
        .filter(isMirror)
        .map((m) => [nameOf(m), m]),
    );
    const wanted = new Map([...running.values()].map((p) => [nameOf(p as DeepReadonly<Pod>), p]));
    for (const [name, m] of mirrors) {
      const p = wanted.get(name);
      const same =
        p !== undefined && m.metadata?.annotations?.[configAnnotations.mirror] === p.metadata.annotations?.[configAnnotations.hash];
      if (same && m.metadata?.deletionTimestamp === undefined) deps.status().setMirror(p.metadata.uid, snapshotPod(m));
      else {
        if (p !== undefined) deps.status().setMirror(p.metadata.uid, undefined);
        await deleteMirror(m, signal);
      }
    }
    for (const [name, p] of wanted) {
      if (mirrors.has(name)) continue;
      deps.status().setMirror(p.metadata.uid, undefined);
      await createMirror(p, signal).catch((error: unknown) => {
        if (!hasReason(error, 'AlreadyExists')) throw error;
      });
    }
  };
  const follow = async (signal: AbortSignal): Promise<void> => {
    await informer.synced;
    using _mirrors = informer.subscribe({
      onAdd: (p) => void (isMirror(p) && poke()),
      onUpdate: (p) => void (isMirror(p) && poke()),
      onDelete: (p) => void (isMirror(p) && poke()),
    });
    while (!signal.aborted) {
      woken = false;
      let failed = deps.node() === undefined && running.size > 0;
      try {
        await reconcile(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error }, 'mirrors of static pods could not be brought up to date; trying again');
        failed = true;
      }
      if (woken) continue;
      using nap = childSignal(signal, failed ? retryMs : undefined);
      await new Promise<void>((resolve) => {
        wake = resolve;
        nap.signal.addEventListener('abort', () => resolve(), { once: true });
      });
      wake = () => undefined;
    }
  };

  const subscribeStatic = (handler: InformerHandler<Pod>): Disposable => {
    handlers.add(handler);
    for (const p of running.values()) handler.onAdd?.(p as DeepReadonly<Pod>);
    return { [Symbol.dispose]: () => void handlers.delete(handler) };
  };

  return {
    synced: Promise.all([informer.synced, manifests.ready]).then(() => undefined),
    list: () => [...informer.list().filter((p) => !isMirror(p)), ...([...running.values()] as DeepReadonly<Pod>[])],
    urlAwaited: () => manifests.urlAwaited?.() === true,
    early: { ready: manifests.ready, subscribe: subscribeStatic },
    subscribe: (handler) => {
      const files = subscribeStatic(handler);
      const api = informer.subscribe({
        onAdd: (p) => (isMirror(p) ? undefined : handler.onAdd?.(p)),
        onUpdate: (p, old) => (isMirror(p) ? undefined : handler.onUpdate?.(p, old)),
        onDelete: (p) => (isMirror(p) ? undefined : handler.onDelete?.(p)),
      });
      return {
        [Symbol.dispose]: () => {
          files[Symbol.dispose]();
          api[Symbol.dispose]();
        },
      };
    },
    run: async (signal) => {
      using child = childSignal(signal);
      const both = [manifests.run(tell, child.signal), follow(child.signal)];
      try {
        await Promise.all(both);
      } finally {
        child.abort(new Error('the other part of it failed'));
        await Promise.allSettled(both);
      }
    },
  };
}

export interface StaticPodSettings {
  /** File or directory; '' for none. */
  readonly staticPodPath: string;
  /** `undefined`: none. */
  readonly staticPodUrl:
    | { readonly url: string; readonly headers: Readonly<Record<string, readonly string[]>>; readonly intervalMs: number }
    | undefined;
}

/** The static pods of a configuration; undefined: it has none. */
export function staticPodsOf(
  config: StaticPodSettings & { readonly nodeName: string; readonly rootDirectory: string },
  deps: Omit<Parameters<typeof createStaticPods>[1], 'manifests'> & { readonly clock: Clock },
): StaticPods | undefined {
  const { nodeName, staticPodPath, staticPodUrl, rootDirectory } = config;
  const sources = [
    ...(staticPodPath === '' ? [] : [createManifestSource({ path: staticPodPath, nodeName }, deps)]),
    ...(staticPodUrl === undefined
      ? []
      : [createUrlSource({ ...staticPodUrl, nodeName, file: path.join(rootDirectory, 'static-pods-of-url.json') }, deps)]),
  ];
  return sources.length === 0 ? undefined : createStaticPods({ nodeName }, { ...deps, manifests: joinSources(sources) });
}
