import type { Image } from '../image.ts';
import type { Outgoing, WireImage } from './messages.ts';
import type { Call, ServedParts } from './serve-calls.ts';
import { nanosOf } from './wire-sandbox.ts';

const toWireImage = (i: Image): Outgoing<WireImage> => ({
  id: i.id,
  repoTags: i.repoTags,
  repoDigests: i.repoDigests,
  size: i.sizeBytes,
  uid: i.uid === undefined ? undefined : { value: i.uid },
  username: i.username,
});

/** The ImageService's calls. */
export function createImageCalls(p: ServedParts): Record<string, Call> {
  const { images } = p.target;
  let removing: Promise<void> = Promise.resolve();
  interface Named {
    readonly image: { readonly image: string } | null;
  }
  interface Auth {
    readonly username: string;
    readonly password: string;
    readonly auth: string;
    readonly serverAddress: string;
    readonly identityToken: string;
  }
  const credentials = (a: Auth | null) => {
    if (a === null) return undefined;
    const [username = '', ...password] = a.auth === '' ? [a.username, a.password] : Buffer.from(a.auth, 'base64').toString().split(':');
    const identity = a.identityToken === '' ? {} : { identityToken: a.identityToken };
    return { username, password: password.join(':'), serverAddress: a.serverAddress, ...identity };
  };
  const calls = {
    ListImages: async ({ filter }: { filter: Named | null }) => {
      const name = filter?.image?.image ?? '';
      const found = name === '' ? await images.listImages() : [await images.imageStatus(name)].filter((i) => i !== undefined);
      return { images: found.map(toWireImage) };
    },
    ImageStatus: async (r: Named & { verbose: boolean }) => {
      const image = await images.imageStatus(r.image?.image ?? '');
      if (image === undefined) return {};
      const config = { Volumes: Object.fromEntries(image.volumes.map((v) => [v, {}])) };
      return { image: toWireImage(image), info: r.verbose ? { info: JSON.stringify({ imageSpec: { config } }) } : {} };
    },
    PullImage: async (r: Named & { auth: Auth | null }, signal: AbortSignal) => ({
      imageRef: (await images.pullImage(r.image?.image ?? '', credentials(r.auth), signal)).id,
    }),
    // One after the other: whoever is answered that an image is gone finds it gone, not going.
    RemoveImage: async (r: Named) => {
      const removal = removing.then(async () => {
        const image = await images.imageStatus(r.image?.image ?? '');
        if (image !== undefined) await images.removeImage(image.id);
      });
      removing = removal.catch(() => undefined);
      await removal;
      return {};
    },
    ImageFsInfo: async () => {
      const fs = await images.imageFilesystem();
      const usage = { timestamp: nanosOf(p.clock.now()), fsId: { mountpoint: fs.mountpoint }, usedBytes: { value: fs.usedBytes } };
      return { imageFilesystems: [usage], containerFilesystems: [usage] };
    },
  };
  return calls satisfies Record<string, Call>;
}
