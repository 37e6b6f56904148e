import { hasReason, isStatusError, parseKey, type KubeObject } from '@skiff/apimachinery';
import { TerminalError, type ControllerDependencies, type Informer, type InformerFactory, type Reconcile } from './contract.ts';
import type { Source } from './sources.ts';
import { fenceWrites, KeyFence, resourceId, type FindInformer } from './write-fence.ts';
import { createWorkQueue } from './work-queue.ts';

export interface ControllerContext extends ControllerDependencies {
  enqueue(key: string): void;
  enqueueAfter(key: string, delayMs: number): void;
}
export interface ControllerDefinition {
  readonly name: string;
  /** Keys reconciled at once; one key never twice at once. */
  readonly concurrency: number;
  readonly sources: readonly Source[];
  readonly retryInitialMs?: number;
  readonly retryMaxMs?: number;
  /** Called once, before anything has synced. Informers that are asked for here are waited for. */
  create(context: ControllerContext): Reconcile;
}
export const defineController = (definition: ControllerDefinition): ControllerDefinition => definition;

export interface ControllerMetrics {
  reconciled(controller: string, outcome: 'success' | 'error' | 'terminal', durationMs: number): void;
  queueLength(controller: string, length: number): void;
  /** A fence was closed for longer than 30 s. */
  fenceStuck(controller: string, resource: string): void;
}

const fenceFirstMs = 5;
const fenceMaxMs = 1_000;
const fenceStuckMs = 30_000;

interface FenceState {
  readonly fence: KeyFence;
  closedSinceMs: number | undefined;
  delayMs: number;
  relisting: boolean;
}

const namespaceTerminates = (error: unknown): boolean =>
  isStatusError(error) && error.details?.causes?.some((c) => c.reason === 'NamespaceTerminating') === true;

/** Runs one controller until `signal` aborts. The informers of `deps` are run by whoever made them. */
export async function runController(
  definition: ControllerDefinition,
  deps: ControllerDependencies & { readonly metrics?: ControllerMetrics },
  signal: AbortSignal,
): Promise<void> {
  const { clock, metrics } = deps;
  const log = deps.log.child({ controller: definition.name });
  const queue = createWorkQueue<string>(definition, { clock, log });
  const informers = new Map<string, Informer<KubeObject>>();
  const used = new Set<Informer<KubeObject>>();
  const fences = new Map<string, FenceState>();

  const tracking: InformerFactory = {
    ...deps.informers,
    informer: (r, o) => {
      const informer = deps.informers.informer(r, o);
      const plain = informer as unknown as Informer<KubeObject>;
      used.add(plain);
      const filtered = o?.namespace !== undefined || o?.fieldSelector !== undefined || o?.labelSelector !== undefined;
      if (!filtered && !informers.has(resourceId(r))) informers.set(resourceId(r), plain);
      return informer;
    },
  };
  const find: FindInformer = (id) => informers.get(id);
  const context: ControllerContext = {
    ...deps,
    log,
    informers: tracking,
    enqueue: (key) => {
      queue.add(key);
      metrics?.queueLength(definition.name, queue.length);
    },
    enqueueAfter: (key, delayMs) => queue.addAfter(key, delayMs),
  };

  const relist = (key: string, state: FenceState, ids: readonly string[]): void => {
    if (state.relisting) return;
    state.relisting = true;
    // Writes that happen while the list is under way can't: the key is not reconciled meanwhile.
    void Promise.all(ids.map(async (id) => await informers.get(id)?.relist())).then(() => {
      for (const id of ids) state.fence.clear(id);
      state.relisting = false;
      queue.add(key);
    });
  };

  /** Whether `key` may be reconciled now; arranges for it to be looked at again if not. */
  const passesFence = (key: string): boolean => {
    const state = fences.get(key);
    if (state === undefined) return true;
    const closed = state.fence.closedBy(find);
    if (closed.length === 0) {
      fences.delete(key);
      return true;
    }
    const nowMs = clock.monotonicMs();
    state.closedSinceMs ??= nowMs;
    if (state.fence.uncertainResources.length > 0) relist(key, state, state.fence.uncertainResources);
    if (nowMs - state.closedSinceMs > fenceStuckMs) {
      state.closedSinceMs = nowMs;
      log.error({ key, resources: closed }, 'the cache has not caught up with own writes in 30 s; listing again');
      for (const id of closed) metrics?.fenceStuck(definition.name, id);
      relist(key, state, closed);
    }
    queue.addAfter(key, state.delayMs);
    state.delayMs = Math.min(state.delayMs * 2, fenceMaxMs);
    return false;
  };

  const fenceOf = (key: string): FenceState => {
    const state = fences.get(key) ?? { fence: new KeyFence(), closedSinceMs: undefined, delayMs: fenceFirstMs, relisting: false };
    fences.set(key, state);
    return state;
  };

  const reconcile = definition.create(context);
  const work = async (key: string): Promise<void> => {
    metrics?.queueLength(definition.name, queue.length);
    if (!passesFence(key)) return;
    const { fence } = fenceOf(key);
    const startedMs = clock.monotonicMs();
    const done = (outcome: 'success' | 'error' | 'terminal'): void =>
      metrics?.reconciled(definition.name, outcome, clock.monotonicMs() - startedMs);
    try {
      const keyLog = log.child({ key });
      const result = await reconcile(parseKey(key), { signal, log: keyLog, fence, client: fenceWrites(deps.client, fence, find) });
      queue.forget(key);
      if (result !== undefined) queue.addAfter(key, result.requeueAfterMs);
      done('success');
    } catch (error) {
      if (signal.aborted) return;
      if (namespaceTerminates(error)) {
        // Nothing can be made there any more, and what is there is about to go.
        queue.forget(key);
        done('success');
      } else if (error instanceof TerminalError) {
        log.error({ key, err: error }, 'giving up on this key until it changes');
        queue.forget(key);
        done('terminal');
      } else {
        if (hasReason(error, 'Conflict')) log.debug({ key, err: error }, 'lost a race; trying again');
        else {
          log.warn({ key, error: error instanceof Error ? error.message : String(error) }, 'reconciling failed; trying again');
          log.debug({ key, err: error }, 'where it failed');
        }
        queue.retry(key);
        done('error');
      }
    } finally {
      if (fence.empty) fences.delete(key);
    }
  };

  const subscriptions = definition.sources.map((source) => source.connect(context));
  try {
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([Promise.all([...used].map((informer) => informer.synced)), stopped]);
    if (signal.aborted) return;
    log.info({ concurrency: definition.concurrency }, 'controller started');
    await queue.process(work, { concurrency: definition.concurrency, signal });
  } finally {
    for (const subscription of subscriptions) subscription[Symbol.dispose]();
  }
}
