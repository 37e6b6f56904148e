import type { Clock } from '@skiff/component-base';
import type { Image, ImageService } from '@skiff/cri';
import { BackOff } from './back-off.ts';
import { formatGoDuration } from './go-duration.ts';
import type { TrackedCredentials } from './keyring.ts';
import { type CredentialLookup, createPuller } from './puller.ts';
import type { PullRecords } from './pull-records.ts';
import type { ImageSources } from './registry-mirrors.ts';

export type ImageOutcome =
  | { readonly ok: true; readonly image: Image }
  /** `retryAtMs`: when another attempt makes sense. */
  | { readonly ok: false; readonly reason: string; readonly message: string; readonly retryAtMs?: number };

export interface ImageRequest {
  readonly podUid: string;
  readonly image: string;
  readonly policy: string;
  /** Asked as late as possible: some have to be made first. */
  readonly credentials: CredentialLookup;
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
const initialBackOffMs = 10_000;
const backOffShownMs = initialBackOffMs / 2;
const isId = (name: string): boolean => /^(sha256:)?[0-9a-f]{64}$/.test(name);

/** `maxParallelPulls`: how many images are fetched at once; the same image is fetched once for all who wait for it. */
export function createImageManager(
  config: { maxParallelPulls: number },
  deps: {
    images: ImageService;
    records: PullRecords;
    sources: (image: string) => Promise<ImageSources>;
    clock: Clock;
    onPulled: (image: Image, tookMs: number) => void;
  },
): ImageManager {
  const { images, clock, records } = deps;
  const backOff = new BackOff({ initialMs: initialBackOffMs, maxMs: 300_000, clock });
  const lastError = new Map<string, string>();
  const puller = createPuller(config, deps);

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
    let succeeded = false;
    try {
      await records.pullBegins(r.image);
      const { image, used, pullMs } = await puller.pull(r.image, r.credentials, r.signal);
      await records.notePulled(image.id, r.image, used);
      succeeded = true;
      const tookMs = clock.monotonicMs() - startedMs;
      r.event(
        'Normal',
        'Pulled',
        `Successfully pulled image "${r.image}" in ${formatGoDuration(pullMs)} (${formatGoDuration(tookMs)} including waiting). Image size: ${image.sizeBytes} bytes.`,
      );
      lastError.delete(key);
      deps.onPulled(image, tookMs);
      return { ok: true, image };
    } catch (error) {
      if (r.signal.aborted) throw error;
      const { message } = error as Error;
      r.event('Warning', 'Failed', `Failed to pull image "${r.image}": ${message}`);
      backOff.next(key, clock.now());
      lastError.set(key, `ErrImagePull: ${message}`);
      // Half of the shortest wait later the pod says that it backs off; that is what people look for.
      return { ok: false, reason: 'ErrImagePull', message, retryAtMs: clock.now() + backOffShownMs };
    } finally {
      await records.pullEnded(r.image, succeeded);
    }
  };

  /** An image that is named by its digest is the same under a mirror's name. */
  const find = async (image: string): Promise<Image | undefined> => {
    const present = await images.imageStatus(image);
    if (present !== undefined || !image.includes('@')) return present;
    for (const m of (await deps.sources(image)).mirrors) {
      const found = await images.imageStatus(m.name);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  /** A pod may show what opens the image's own registry, or a mirror. */
  const allCredentials = async (r: ImageRequest): Promise<readonly TrackedCredentials[]> => {
    const names = [r.image, ...(await deps.sources(r.image)).mirrors.map((m) => m.name)];
    return (await Promise.all(names.map((n) => r.credentials(n)))).flat();
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
        let allowed = false;
        try {
          present = await find(r.image);
          allowed = present !== undefined && (await records.allows(present.id, r.image, () => allCredentials(r)));
        } catch (error) {
          if (r.signal.aborted) throw error;
          const message = `Failed to inspect image "${r.image}": ${(error as Error).message}`;
          r.event('Warning', 'InspectFailed', message);
          return { ok: false, reason: 'ImageInspectError', message };
        }
        if (present !== undefined && allowed) {
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
