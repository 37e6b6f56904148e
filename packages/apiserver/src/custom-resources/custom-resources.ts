import { customResourceDefinition, type CustomResourceDefinition } from '@skiff/api';
import { type DeepReadonly, hasReason, jsonEqual, type Json, type ResourceDefinition } from '@skiff/apimachinery';
import { type Clock, formatTime, type Logger } from '@skiff/component-base';
import type { ObjectAccess, ResourceRegistry } from '../contract.ts';
import { cleanupFinalizer } from './cleanup-finalizer.ts';
import { customDefinitions, hasCondition } from './definitions.ts';
import { decideNames, setCondition } from './names.ts';

type CRD = DeepReadonly<CustomResourceDefinition>;

/** While objects of a definition that is being deleted remain (their finalizers have work to do), they are looked at again this often. */
const remainingPollMs = 1000;

interface Served {
  /** What the definitions were made from: spec, accepted names, whether established. */
  readonly madeFrom: Json;
  readonly definitions: readonly ResourceDefinition[];
}

/**
 * Serves the kinds of CustomResourceDefinitions and keeps these' status: names are accepted or not, objects go before their
 * definition does. Every apiserver serves by itself; they all do the writes, which come out the same.
 */
export class CustomResources {
  readonly #registry: ResourceRegistry;
  readonly #objects: ObjectAccess;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #served = new Map<string, Served>();
  #wake: () => void = () => undefined;
  #dirty = true;

  constructor(deps: { registry: ResourceRegistry; clock: Clock; log: Logger }) {
    this.#registry = deps.registry;
    this.#objects = deps.registry.objects;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Follows the definitions and keeps their status until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    using _changes = this.follow();
    await this.#keepStatus(signal);
  }

  /** Serves what the definitions say, now and after each change. */
  follow(): Disposable {
    // Before the change is told to anybody: watches send at the end of the event loop's turn.
    let scheduled = false;
    const follow = (): void => {
      scheduled = false;
      this.serve();
      this.#dirty = true;
      this.#wake();
    };
    const changes = this.#objects.subscribe<CustomResourceDefinition>(customResourceDefinition, () => {
      if (scheduled) return;
      scheduled = true;
      queueMicrotask(follow);
    });
    this.serve();
    return changes;
  }

  #all(): readonly CRD[] {
    return this.#objects.list<CustomResourceDefinition>(customResourceDefinition);
  }

  /** Brings what is served in line with the definitions as they are now. What did not change stays as it is. */
  serve(): void {
    const all = this.#all();
    const names = new Set(all.map((crd) => crd.metadata?.name ?? ''));
    for (const name of this.#served.keys()) if (!names.has(name)) this.#served.delete(name);
    for (const crd of all) {
      const name = crd.metadata?.name ?? '';
      const madeFrom = [
        crd.spec,
        crd.status?.acceptedNames ?? null,
        hasCondition(crd, 'Established'),
        crd.metadata?.deletionTimestamp !== undefined,
      ] as unknown as Json;
      const before = this.#served.get(name);
      if (before !== undefined && jsonEqual(before.madeFrom, madeFrom)) continue;
      try {
        this.#served.set(name, { madeFrom, definitions: customDefinitions(crd) });
      } catch (error) {
        this.#log.error({ err: error, name }, 'a CustomResourceDefinition can’t be served');
        this.#served.set(name, { madeFrom, definitions: [] });
      }
    }
    this.#registry.serveCustom([...this.#served.values()].flatMap((s) => s.definitions));
  }

  async #keepStatus(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#dirty = false;
      let remaining = false;
      for (const crd of this.#all()) {
        if (signal.aborted) return;
        if (crd.metadata?.deletionTimestamp === undefined) await this.#acceptNames(crd);
        else remaining = (await this.#finalize(crd)) || remaining;
      }
      if (this.#dirty) continue;
      await this.#sleep(remaining ? remainingPollMs : undefined, signal);
    }
  }

  /** Until something changes, or `ms` have passed. */
  async #sleep(ms: number | undefined, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = ms === undefined ? undefined : this.#clock.after(ms, () => done());
      const done = (): void => {
        timer?.[Symbol.dispose]();
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
      if (this.#dirty || signal.aborted) done();
    });
  }

  async #update(
    crd: CRD,
    change: (draft: CustomResourceDefinition) => CustomResourceDefinition | undefined,
    subresource?: string,
  ): Promise<void> {
    try {
      await this.#objects.update<CustomResourceDefinition>(
        customResourceDefinition,
        '',
        crd.metadata?.name ?? '',
        (draft) => (draft.metadata?.uid === crd.metadata?.uid ? change(draft) : undefined),
        subresource === undefined ? {} : { subresource },
      );
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
    }
  }

  async #acceptNames(crd: CRD): Promise<void> {
    const now = formatTime(this.#clock.now());
    const others = this.#all().filter((o) => o.spec.group === crd.spec.group && o.metadata?.uid !== crd.metadata?.uid);
    const isNews = (current: CRD): boolean => {
      const { acceptedNames, conditions } = decideNames(current, others, now);
      const before = { acceptedNames: current.status?.acceptedNames, conditions: current.status?.conditions };
      return !jsonEqual(before as Json, { acceptedNames, conditions } as unknown as Json);
    };
    if (!isNews(crd)) return;
    await this.#update(
      crd,
      (draft) => {
        if (!isNews(draft)) return undefined;
        draft.status = { ...draft.status, ...decideNames(draft, others, now), storedVersions: draft.status?.storedVersions ?? [] };
        return draft;
      },
      'status',
    );
  }

  /** Deletes the objects of a definition that is going. True while some remain. */
  async #finalize(crd: CRD): Promise<boolean> {
    if (!(crd.metadata?.finalizers ?? []).includes(cleanupFinalizer)) return false;
    const now = formatTime(this.#clock.now());
    // As they are stored: that needs no webhook, which may be gone already.
    const d = this.#served.get(crd.metadata?.name ?? '')?.definitions.find((v) => v.custom?.storage === undefined);
    const objects = d === undefined ? [] : this.#objects.list(d);
    if (d !== undefined) {
      for (const object of objects) {
        if (object.metadata?.deletionTimestamp !== undefined) continue;
        await this.#objects.delete(d, object.metadata?.namespace ?? '', object.metadata?.name ?? '');
      }
      if (objects.length > 0) {
        const condition = {
          type: 'Terminating',
          status: 'True',
          reason: 'InstanceDeletionInProgress',
          message: 'CustomResource deletion is in progress',
        };
        if (!hasCondition(crd, 'Terminating')) {
          await this.#update(crd, (draft) => (setCondition(draft, condition, now), draft), 'status');
        }
        if (this.#objects.list(d).length > 0) return true;
      }
    }
    const done = { type: 'Terminating', status: 'False', reason: 'InstanceDeletionCompleted', message: 'removed all instances' };
    await this.#update(crd, (draft) => (setCondition(draft, done, now), draft), 'status');
    await this.#update(crd, (draft) => {
      const finalizers = draft.metadata?.finalizers?.filter((f) => f !== cleanupFinalizer) ?? [];
      draft.metadata = { ...draft.metadata, finalizers };
      return draft;
    });
    return false;
  }
}
