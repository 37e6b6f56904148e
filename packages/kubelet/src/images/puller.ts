import type { Clock } from '@skiff/component-base';
import { type Image, type ImageService, isRuntimeError, RuntimeError } from '@skiff/cri';
import type { TrackedCredentials } from './keyring.ts';
import type { ImageSources } from './registry-mirrors.ts';

/** `used`: what the registry let it in with; undefined: it asked for nothing. */
export interface Pulled {
  readonly image: Image;
  readonly used: TrackedCredentials | undefined;
  /** Without the wait for a turn. */
  readonly pullMs: number;
}

/** What may open a registry for an image. */
export type CredentialLookup = (image: string) => Promise<readonly TrackedCredentials[]>;

export interface Puller {
  /** Throws RuntimeError, or what aborted `signal`. */
  pull(image: string, credentials: CredentialLookup, signal: AbortSignal): Promise<Pulled>;
}

/** A mirror that gave no answer is asked again after this time. */
const silentMirrorMs = 30_000;

interface Source {
  /** undefined: the image's own registry. */
  readonly mirror: string | undefined;
  readonly credentials: readonly TrackedCredentials[];
}

const hostOf = (name: string): string => name.slice(0, name.indexOf('/'));

/** What `promise` gives, or what aborts the signal first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/**
 * Fetches images: `maxParallelPulls` at once, the same image once for all who want it with the same credentials; from mirrors first, in
 * their order, and from the image's own registry after them.
 */
export function createPuller(
  config: { readonly maxParallelPulls: number },
  deps: { readonly images: ImageService; readonly sources: (image: string) => Promise<ImageSources>; readonly clock: Clock },
): Puller {
  const { images, clock } = deps;
  const running = new Map<string, Promise<Pulled>>();
  const queue: (() => void)[] = [];
  const silentUntilMs = new Map<string, number>();
  let active = 0;

  const releaseSlot = (): void => {
    const next = queue.shift();
    if (next === undefined) active -= 1;
    else next();
  };
  const slot = async (signal: AbortSignal): Promise<void> => {
    if (active >= config.maxParallelPulls) await new Promise<void>((resolve) => queue.push(resolve));
    else active += 1;
    if (signal.aborted) {
      releaseSlot();
      throw signal.reason;
    }
  };

  const pullFrom = async (image: string, source: Source, signal: AbortSignal): Promise<Omit<Pulled, 'pullMs'>> => {
    let failure: unknown;
    for (const used of source.credentials.length === 0 ? [undefined] : source.credentials) {
      try {
        return { image: await images.pullImage(image, used?.credentials, signal, source.mirror), used };
      } catch (error) {
        failure = error;
        if (signal.aborted || !isRuntimeError(error, 'image-auth')) throw error;
      }
    }
    throw failure;
  };
  const pullFromAny = async (image: string, sources: readonly Source[], signal: AbortSignal): Promise<Omit<Pulled, 'pullMs'>> => {
    const said: string[] = [];
    let last: unknown;
    for (const source of sources) {
      try {
        return await pullFrom(image, source, signal);
      } catch (error) {
        if (signal.aborted || !isRuntimeError(error)) throw error;
        last = error;
        if (source.mirror !== undefined) {
          said.push(`mirror ${hostOf(source.mirror)}: ${error.message}`);
          if (error.kind === 'registry-unavailable' || error.kind === 'timeout')
            silentUntilMs.set(hostOf(source.mirror), clock.now() + silentMirrorMs);
        } else said.push(error.message);
      }
    }
    if (said.length <= 1 || !isRuntimeError(last)) throw last;
    throw new RuntimeError(last.kind, said.reverse().join('; '), { cause: last });
  };

  const planSources = async (image: string, credentials: CredentialLookup): Promise<readonly Source[]> => {
    const { mirrors, origin } = await deps.sources(image);
    const own = await credentials(image);
    const answering = mirrors.filter((m) => (silentUntilMs.get(hostOf(m.name)) ?? 0) <= clock.now());
    const asked = origin || answering.length > 0 ? answering : mirrors;
    return [
      ...(await Promise.all(
        asked.map(
          async (m): Promise<Source> => ({
            mirror: m.name,
            credentials: [...(await credentials(m.name)), ...(m.originCredentials ? own : [])],
          }),
        ),
      )),
      ...(origin ? [{ mirror: undefined, credentials: own }] : []),
    ];
  };

  const share = (image: string, sources: readonly Source[], signal: AbortSignal): Promise<Pulled> => {
    const key = JSON.stringify([image, sources]);
    const present = running.get(key);
    // A pull that another pod began may be called off by that pod; then it is started anew.
    if (present !== undefined)
      return present.catch((error: unknown) => (isRuntimeError(error) ? Promise.reject(error) : share(image, sources, signal)));
    const run = async (): Promise<Pulled> => {
      await slot(signal);
      try {
        const startedMs = clock.monotonicMs();
        const pulled = await pullFromAny(image, sources, signal);
        return { ...pulled, pullMs: clock.monotonicMs() - startedMs };
      } finally {
        releaseSlot();
      }
    };
    const made = run().finally(() => running.delete(key));
    running.set(key, made);
    return made;
  };

  return {
    pull: async (image, credentials, signal) => {
      // Whoever is asked for credentials may take long.
      const sources = await unlessAborted(planSources(image, credentials), signal);
      return share(image, sources, signal);
    },
  };
}
