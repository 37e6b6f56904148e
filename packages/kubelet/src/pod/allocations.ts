import path from 'node:path';
import type { Clock, Logger } from '@skiff/component-base';
import { type Allocation, type Resources } from '../actions/compute-resize.ts';
import { isMapOfObjects, readStateFile, writeStateFile } from '../host/state-file.ts';

/** What the node has granted to its pods, over restarts of the kubelet: else a change that had no room would be taken for granted then. */
export interface Allocations {
  /** To be called before pods are looked at. */
  load(): Promise<void>;
  get(podUid: string): Allocation | undefined;
  /** Is on the disk soon after, with whatever else changes meanwhile. */
  set(podUid: string, allocation: Allocation): void;
  forget(podUid: string): void;
  /** Writes what changes. When `adopted` resolves, pods that have gone while no kubelet ran are forgotten. */
  run(signal: AbortSignal, adopted: Promise<void>, podUids: () => readonly string[]): Promise<void>;
}

/** Upstream's name. */
const fileName = 'allocated_pods_state';
const saveDelayMs = 1000;

type Saved = Record<string, Record<string, Resources>>;

export function createAllocations(directory: string, deps: { readonly clock: Clock; readonly log: Logger }): Allocations {
  const file = path.join(directory, fileName);
  const all = new Map<string, Allocation>();
  let changed = false;
  let wake: () => void = () => undefined;

  const save = async (): Promise<void> => {
    if (!changed) return;
    changed = false;
    const saved: Saved = Object.fromEntries([...all].map(([uid, a]) => [uid, Object.fromEntries(a)]));
    await writeStateFile(file, saved).catch((error: unknown) => {
      changed = true;
      deps.log.error({ err: error }, 'what pods were granted could not be recorded');
    });
  };
  const note = (): void => {
    changed = true;
    wake();
  };
  return {
    load: async () => {
      const saved = await readStateFile<Saved>(file, { empty: {}, isUsable: isMapOfObjects, log: deps.log });
      for (const [uid, containers] of Object.entries(saved)) all.set(uid, new Map(Object.entries(containers)));
    },
    get: (podUid) => all.get(podUid),
    set: (podUid, allocation) => {
      all.set(podUid, new Map(allocation));
      note();
    },
    forget: (podUid) => {
      if (all.delete(podUid)) note();
    },
    run: async (signal, adopted, podUids) => {
      void adopted.then(() => {
        const there = new Set(podUids());
        for (const uid of all.keys()) if (!there.has(uid) && all.delete(uid)) note();
      });
      signal.addEventListener('abort', () => wake(), { once: true });
      while (!signal.aborted) {
        if (!changed) await new Promise<void>((resolve) => (wake = resolve));
        await deps.clock.sleep(saveDelayMs, signal).catch(() => undefined);
        await save();
      }
    },
  };
}
