import { childSignal, type Clock, formatTime, type Logger } from '@skiff/component-base';
import { readStateFile, writeStateFile } from '../host/state-file.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { ManifestSource } from './manifest-directory.ts';
import { readManifests } from './read-manifest.ts';

const maxBytes = 10 * 1024 * 1024;
const answerMs = 10_000;

interface UrlSourceConfig {
  readonly url: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly intervalMs: number;
  readonly nodeName: string;
  /** What it said last, for when it doesn't answer. */
  readonly file: string;
}

/** Throws when the answer is not a 200 with at most 10 MiB. */
async function download(config: UrlSourceConfig, signal: AbortSignal): Promise<string> {
  const headers = new Headers();
  for (const [name, values] of Object.entries(config.headers)) for (const v of values) headers.append(name, v);
  using limit = childSignal(signal, answerMs);
  const response = await fetch(config.url, { headers, signal: limit.signal });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${config.url}: ${response.status} ${response.statusText}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`${config.url}: it has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/**
 * Static pods from a URL (staticPodURL): one pod or a list of them. While it does not answer, or says what can't be used, the pods of its
 * last good answer stay, also over a restart.
 */
export function createUrlSource(config: UrlSourceConfig, deps: { readonly clock: Clock; readonly log: Logger }): ManifestSource {
  const { clock, log } = deps;
  const { url, nodeName, file } = config;
  let current: readonly PodSnapshot[] = [];
  let text = '';
  /** What the file holds. */
  let saved: string | undefined;
  /** There was no good answer yet, of today or remembered. */
  let awaited = true;
  let failing = false;
  let markReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });
  const use = (next: string): void => {
    // An empty answer means that there are none, as upstream.
    current = next === '' ? [] : readManifests(next, { url, nodeName, now: formatTime(clock.now()) });
    text = next;
    awaited = false;
  };
  const recall = async (): Promise<boolean> => {
    type Recalled = { readonly url: string; readonly text: string };
    const isUsable = (v: object): boolean => 'url' in v && 'text' in v && typeof v.text === 'string';
    const known = await readStateFile<Recalled>(file, { empty: { url: '', text: '' }, isUsable, log });
    if (known.url !== url) return false;
    try {
      use(known.text);
      saved = known.text;
      return true;
    } catch (error) {
      log.error({ err: error, file }, 'the static pods that were remembered are not usable');
      return false;
    }
  };
  const ask = async (signal: AbortSignal): Promise<boolean> => {
    try {
      const next = await download(config, signal);
      if (failing) log.info({ url }, 'the URL with static pods answers again');
      failing = false;
      if (next === text && !awaited) return false;
      use(next);
      return true;
    } catch (error) {
      if (!signal.aborted && !failing) log.error({ err: error, url }, 'static pods could not be read from their URL; trying again');
      failing = true;
      return false;
    }
  };
  const remember = async (): Promise<void> => {
    if (awaited || text === saved) return;
    try {
      await writeStateFile(file, { url, text }, 0o600);
      saved = text;
    } catch (error) {
      log.error({ err: error, file }, 'static pods of a URL could not be written down for the next start; trying again');
    }
  };
  return {
    ready,
    pods: () => current,
    urlAwaited: () => awaited,
    run: async (onChange, signal) => {
      if (await recall()) {
        onChange();
        markReady();
      }
      while (!signal.aborted) {
        if (await ask(signal)) onChange();
        markReady();
        await remember();
        await clock.sleep(config.intervalMs, signal).catch(() => undefined);
      }
    },
  };
}
