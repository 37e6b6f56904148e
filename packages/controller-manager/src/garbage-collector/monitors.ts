import { formatGroupVersion, type DeepReadonly, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import { createReflector, discoverResources, resourceId, type Client, type DiscoveredResource, type InformerFactory } from '@skiff/client';
import { childSignal, type ChildSignal, type Clock, type Logger } from '@skiff/component-base';

/** What a monitor tells about the objects of its resource. */
export interface MonitorSink {
  observe(resource: ResourceRef, object: DeepReadonly<KubeObject>): void;
  forget(uid: string): void;
}

interface Monitor {
  readonly resource: DiscoveredResource;
  readonly synced: Promise<void>;
  readonly done: Promise<void>;
  readonly stop: ChildSignal;
}

export interface Monitors {
  /** Starts and stops monitors so that there is one for each resource that garbage collection covers. */
  refresh(signal: AbortSignal): Promise<void>;
  /** Resolves when those there are have synced, or after `timeoutMs`: one that can't be listed must not hold up the rest. */
  synced(timeoutMs: number, signal: AbortSignal): Promise<void>;
  resourceOf(apiVersion: string, kind: string): ResourceRef | undefined;
  stopped(): Promise<void>;
}

/** Events are many, and never own nor are owned. */
const ignored: ReadonlySet<string> = new Set(['events', 'events.events.k8s.io']);
const verbs = ['delete', 'list', 'watch'];

const covered = (r: DiscoveredResource): boolean => verbs.every((v) => r.verbs.includes(v)) && !ignored.has(resourceId(r));

/** Whole-object informers that other controllers have are shared; other resources are followed by metadata alone, without a store. */
export function createMonitors(
  o: { shared: ReadonlySet<string>; sink: MonitorSink },
  deps: { client: Client; informers: InformerFactory; clock: Clock; log: Logger },
): Monitors {
  const monitors = new Map<string, Monitor>();
  let kinds = new Map<string, ResourceRef>();

  const follow = (resource: DiscoveredResource, signal: AbortSignal): Pick<Monitor, 'synced' | 'done'> => {
    const known = new Map<string, string>();
    let markSynced = (): void => undefined;
    const synced = new Promise<void>((resolve) => {
      markSynced = resolve;
    });
    const keyOf = (object: KubeObject): string => `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;
    const put = (object: KubeObject): void => {
      const uid = object.metadata?.uid ?? '';
      const before = known.get(keyOf(object));
      known.set(keyOf(object), uid);
      if (before !== undefined && before !== uid) o.sink.forget(before);
      o.sink.observe(resource, object as DeepReadonly<KubeObject>);
    };
    const reflector = createReflector<KubeObject>(
      {
        resource,
        options: { metadataOnly: true },
        sink: {
          replace: (objects) => {
            const gone = new Map(known);
            for (const object of objects) {
              gone.delete(keyOf(object));
              put(object);
            }
            for (const [key, uid] of gone) {
              known.delete(key);
              o.sink.forget(uid);
            }
            markSynced();
          },
          apply: (type, object) => {
            if (type !== 'DELETED') return put(object);
            known.delete(keyOf(object));
            o.sink.forget(object.metadata?.uid ?? '');
          },
          progress: () => undefined,
        },
      },
      deps,
    );
    const done = reflector.run(signal).then(() => {
      for (const uid of known.values()) if (signal.reason === resourceGone) o.sink.forget(uid);
    });
    return { synced, done };
  };

  const share = (resource: DiscoveredResource, signal: AbortSignal): Pick<Monitor, 'synced' | 'done'> => {
    const informer = deps.informers.informer<KubeObject>(resource);
    const subscription = informer.subscribe({
      onAdd: (object) => o.sink.observe(resource, object),
      onUpdate: (object) => o.sink.observe(resource, object),
      onDelete: (object) => o.sink.forget(object.metadata?.uid ?? ''),
    });
    const done = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        subscription[Symbol.dispose]();
        resolve();
      });
    });
    return { synced: informer.synced, done };
  };

  return {
    refresh: async (signal) => {
      const discovery = await discoverResources(deps.client, signal);
      // A group that doesn't answer now keeps what it has.
      const silent = new Set([...discovery.failures.keys()].map((groupVersion) => groupVersion.split('/')[0]));
      const wanted = new Map(discovery.resources.filter(covered).map((r) => [resourceId(r), r]));
      const nextKinds = new Map(discovery.resources.map((r) => [`${r.group} ${r.kind}`, r as ResourceRef]));
      for (const [key, r] of kinds) if (silent.has(r.group) && !nextKinds.has(key)) nextKinds.set(key, r);
      kinds = nextKinds;
      for (const [id, monitor] of monitors) {
        const now = wanted.get(id);
        const kept =
          now === undefined
            ? silent.has(monitor.resource.group)
            : formatGroupVersion(now.group, now.version) === formatGroupVersion(monitor.resource.group, monitor.resource.version);
        if (kept) continue;
        deps.log.info({ resource: id }, 'no longer monitored');
        monitor.stop.abort(now === undefined ? resourceGone : undefined);
        monitors.delete(id);
        await monitor.done;
        monitor.stop[Symbol.dispose]();
      }
      for (const [id, resource] of wanted) {
        if (monitors.has(id)) continue;
        const stop = childSignal(signal);
        const started = o.shared.has(id) ? share(resource, stop.signal) : follow(resource, stop.signal);
        monitors.set(id, { resource, stop, ...started });
      }
    },
    synced: async (timeoutMs, signal) => {
      const all = Promise.all([...monitors.values()].map((m) => m.synced));
      using limit = childSignal(signal);
      const timeout = deps.clock.sleep(timeoutMs, limit.signal).catch(() => undefined);
      await Promise.race([all, timeout]);
      limit.abort();
    },
    resourceOf: (apiVersion, kind) => kinds.get(`${apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''} ${kind}`),
    stopped: async () => {
      await Promise.all([...monitors.values()].map((m) => m.done));
    },
  };
}

const resourceGone = new Error('the resource is no longer served');
