import type { Clock } from '@skiff/component-base';
import { type Image, type ImageService, isRuntimeError, type RegistryCredentials, type RuntimeError } from '@skiff/cri';
import { BackOff } from './back-off.ts';
import { formatGoDuration } from './go-duration.ts';
import { type Keyring, lookUp } from './keyring.ts';
import type { PullRecords } from './pull-records.ts';

/** `used`: what the registry let it in with; undefined: it asked for nothing. */
interface Pulled {
  readonly image: Image;
  readonly used: RegistryCredentials | undefined;
}

export type ImageOutcome =
  | { readonly ok: true; readonly image: Image }
  /** `retryAtMs`: when another attempt makes sense. */
  | { readonly ok: false; readonly reason: string; readonly message: string; readonly retryAtMs?: number };

export interface ImageRequest {
  readonly podUid: string;
  readonly image: string;
  readonly policy: string;
  readonly keyring: () => Promise<Keyring>;
  readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
  readonly signal: AbortSignal;
}

export interface ImageManager {
  /** Fetches the image if its policy says so. Failures are values; a throw means that it was called off. */
  ensure(request: ImageRequest): Promise<ImageOutcome>;
  forget(podUid: string): void;
}

const validName =
  /^(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@[a-z0-9+._-]+:[0-9a-fA-F]{32,})?$/;
const isId = (name: string): boolean => /^(sha256:)?[0-9a-f]{64}$/.test(name);

/** `maxParallelPulls`: how many images are fetched at once; the same image is fetched once for all who wait for it. */
export function createImageManager(
  config: { maxParallelPulls: number },
  deps: { images: ImageService; records: PullRecords; clock: Clock; onPulled: (image: Image, tookMs: number) => void },
): ImageManager {
  const { images, clock } = deps;
  const backOff = new BackOff({ initialMs: 10_000, maxMs: 300_000, clock });
  const lastError = new Map<string, string>();
  const running = new Map<string, Promise<Pulled>>();
  const queue: (() => void)[] = [];
  let active = 0;

  const slot = async (signal: AbortSignal): Promise<void> => {
    if (active >= config.maxParallelPulls) await new Promise<void>((resolve) => queue.push(resolve));
    else active += 1;
    if (signal.aborted) {
      releaseSlot();
      throw signal.reason;
    }
  };
  const releaseSlot = (): void => {
    const next = queue.shift();
    if (next === undefined) active -= 1;
    else next();
  };
  const pullWith = async (image: string, credentials: readonly RegistryCredentials[], signal: AbortSignal): Promise<Pulled> => {
    await slot(signal);
    try {
      let failure: unknown;
      for (const c of credentials.length === 0 ? [undefined] : credentials) {
        try {
          return { image: await images.pullImage(image, c, signal), used: c };
        } catch (error) {
          failure = error;
          if (signal.aborted || !isRuntimeError(error, 'image-auth')) throw error;
        }
      }
      throw failure;
    } finally {
      releaseSlot();
    }
  };
  const pull = (image: string, credentials: readonly RegistryCredentials[], signal: AbortSignal): Promise<Pulled> => {
    const key = JSON.stringify([image, credentials]);
    const present = running.get(key);
    // A pull that another pod began may be called off by that pod; then it is started anew.
    if (present !== undefined)
      return present.catch((error: unknown) => (isRuntimeError(error) ? Promise.reject(error) : pull(image, credentials, signal)));
    const made = pullWith(image, credentials, signal).finally(() => running.delete(key));
    running.set(key, made);
    return made;
  };

  const fetch = async (r: ImageRequest): Promise<ImageOutcome> => {
    const key = `${r.podUid}_${r.image}`;
    const retryAtMs = backOff.blockedSinceLastMs(key);
    if (retryAtMs !== undefined) {
      const text = `Back-off pulling image "${r.image}"`;
      r.event('Normal', 'BackOff', text);
      const before = lastError.get(key);
      return { ok: false, reason: 'ImagePullBackOff', message: before === undefined ? text : `${text}: ${before}`, retryAtMs };
    }
    r.event('Normal', 'Pulling', `Pulling image "${r.image}"`);
    const startedMs = clock.monotonicMs();
    try {
      const { image, used } = await pull(r.image, lookUp(await r.keyring(), r.image), r.signal);
      await deps.records.notePulled(image.id, r.image, used);
      const tookMs = clock.monotonicMs() - startedMs;
      const took = formatGoDuration(tookMs);
      r.event(
        'Normal',
        'Pulled',
        `Successfully pulled image "${r.image}" in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`,
      );
      lastError.delete(key);
      deps.onPulled(image, tookMs);
      return { ok: true, image };
    } catch (error) {
      if (r.signal.aborted) throw error;
      const { message } = error as RuntimeError;
      r.event('Warning', 'Failed', `Failed to pull image "${r.image}": ${message}`);
      backOff.next(key, clock.now());
      lastError.set(key, `ErrImagePull: ${message}`);
      return { ok: false, reason: 'ErrImagePull', message, retryAtMs: clock.now() + backOff.delayMs(key) };
    }
  };

  return {
    ensure: async (r) => {
      if (!isId(r.image) && !validName.test(r.image)) {
        const message = `Failed to apply default image tag "${r.image}": couldn't parse image name "${r.image}": invalid reference format`;
        r.event('Warning', 'InspectFailed', message);
        return { ok: false, reason: 'InvalidImageName', message };
      }
      if (r.policy !== 'Always') {
        let present: Image | undefined;
        try {
          present = await images.imageStatus(r.image);
        } catch (error) {
          const message = `Failed to inspect image "${r.image}": ${(error as Error).message}`;
          r.event('Warning', 'InspectFailed', message);
          return { ok: false, reason: 'ImageInspectError', message };
        }
        if (present !== undefined && (await deps.records.allows(present.id, r.image, lookUp(await r.keyring(), r.image)))) {
          r.event('Normal', 'Pulled', `Container image "${r.image}" already present on machine and can be accessed by the pod`);
          return { ok: true, image: present };
        }
        if (r.policy === 'Never') {
          const message = `Container image "${r.image}" is not present with pull policy of Never`;
          r.event('Warning', 'ErrImageNeverPull', message);
          return { ok: false, reason: 'ErrImageNeverPull', message };
        }
      }
      return fetch(r);
    },
    forget: (podUid) => {
      backOff.forget(`${podUid}_`);
      for (const key of lastError.keys()) if (key.startsWith(`${podUid}_`)) lastError.delete(key);
    },
  };
}
