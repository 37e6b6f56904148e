import { watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { childSignal, type Clock, formatTime, type Logger } from '@skiff/component-base';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import { readManifest } from './read-manifest.ts';

/** Upstream's period; a change is usually told by the kernel. */
const rescanMs = 20_000;
/** Where the kernel has no watch left. */
const unwatchedMs = 5_000;
/** Editors write in several steps. */
const settleMs = 200;
const maxBytes = 10 * 1024 * 1024;

/** Static pods, from a file or from all files of a directory that don't begin with a dot. */
export interface ManifestSource {
  pods(): readonly PodSnapshot[];
  /** Calls `onChange` when `pods` are others. The first look is done when `ready` resolves. */
  run(onChange: () => void, signal: AbortSignal): Promise<void>;
  readonly ready: Promise<void>;
  /** Whether a URL has said nothing yet that could be used, so that `pods` may lack its own. */
  urlAwaited?(): boolean;
}

/** Several as one. Of pods with the same name the first counts. */
export function joinSources(sources: readonly ManifestSource[]): ManifestSource {
  const [only] = sources;
  if (sources.length === 1 && only !== undefined) return only;
  return {
    ready: Promise.all(sources.map((s) => s.ready)).then(() => undefined),
    pods: () => [
      ...new Map(
        sources
          .flatMap((s) => s.pods())
          .reverse()
          .map((p) => [`${p.metadata.namespace}/${p.metadata.name}`, p]),
      ).values(),
    ],
    urlAwaited: () => sources.some((s) => s.urlAwaited?.() === true),
    run: async (onChange, signal) => void (await Promise.all(sources.map((s) => s.run(onChange, signal)))),
  };
}

export function createManifestSource(
  config: { readonly path: string; readonly nodeName: string },
  deps: { clock: Clock; log: Logger },
): ManifestSource {
  const { clock, log } = deps;
  let current: readonly PodSnapshot[] = [];
  /** By file: what it said last, and what came of it. */
  const known = new Map<string, { readonly text: string; readonly pod: PodSnapshot | undefined }>();
  let markReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });

  const listFiles = async (): Promise<readonly string[]> => {
    const found = await stat(config.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found === undefined) return [];
    if (!found.isDirectory()) return [config.path];
    const entries = await readdir(config.path, { withFileTypes: true });
    return entries
      .filter((e) => (e.isFile() || e.isSymbolicLink()) && !e.name.startsWith('.'))
      .map((e) => path.join(config.path, e.name))
      .sort();
  };
  const readOne = async (file: string): Promise<void> => {
    const before = known.get(file);
    try {
      if ((await stat(file)).size > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
      const text = await readFile(file, 'utf8');
      if (before?.text === text) return;
      known.set(file, { text, pod: undefined });
      known.set(file, { text, pod: readManifest(text, { file, nodeName: config.nodeName, now: formatTime(clock.now()) }) });
    } catch (error) {
      log.error({ err: error, file }, 'this file holds no static pod');
    }
  };
  const scan = async (): Promise<boolean> => {
    const files = await listFiles();
    for (const file of known.keys()) if (!files.includes(file)) known.delete(file);
    for (const file of files) await readOne(file);
    const names = new Set<string>();
    const next = [...known.values()].flatMap(({ pod }) => {
      const name = `${pod?.metadata.namespace}/${pod?.metadata.name}`;
      if (pod === undefined || names.has(name)) return [];
      names.add(name);
      return [pod];
    });
    const changed = next.length !== current.length || next.some((p, i) => p.metadata.uid !== current[i]?.metadata.uid);
    current = next;
    return changed;
  };

  return {
    ready,
    pods: () => current,
    run: async (onChange, signal) => {
      let wake: () => void = () => undefined;
      let woken = false;
      let toldUnwatched = false;
      const notice = (): void => {
        woken = true;
        wake();
      };
      while (!signal.aborted) {
        woken = false;
        // A directory that is not there yet is looked for again; one that can't be watched is looked into often.
        let isWatched = true;
        const watcher = await stat(config.path).then(
          () => {
            try {
              return watch(config.path, { persistent: false }, notice);
            } catch (error) {
              isWatched = false;
              if (!toldUnwatched) log.warn({ err: error, path: config.path }, 'static pods can not be watched; looking every few seconds');
              toldUnwatched = true;
              return undefined;
            }
          },
          () => undefined,
        );
        watcher?.on('error', notice);
        try {
          if (await scan()) onChange();
        } catch (error) {
          log.error({ err: error, path: config.path }, 'static pods could not be read');
        }
        markReady();
        if (!woken) {
          using nap = childSignal(signal);
          wake = () => nap.abort();
          await clock.sleep(isWatched ? rescanMs : unwatchedMs, nap.signal).catch(() => undefined);
          wake = () => undefined;
        }
        watcher?.close();
        if (woken) await clock.sleep(settleMs, signal).catch(() => undefined);
      }
    },
  };
}
