import { createHash } from 'node:crypto';
import type { Logger } from '@skiff/component-base';
import type { RegistryCredentials } from '@skiff/cri';
import { isMapOfObjects, readStateFile, writeStateFile } from '../host/state-file.ts';
import { repositoryOf } from './keyring.ts';

/** Who may use an image that this node fetched: everybody, or those who have the credentials that fetched it. */
interface Access {
  anyone: boolean;
  /** SHA-256 of credentials; these themselves are not kept. */
  hashes: string[];
}
/** By image ID, then by repository. */
type Records = Record<string, Record<string, Access>>;

/** Newest credentials of one image that are remembered. */
const maxHashes = 100;

export const hashCredentials = (c: RegistryCredentials): string =>
  createHash('sha256')
    .update(JSON.stringify([c.username, c.password, c.identityToken ?? '']))
    .digest('hex');

/**
 * Remembers with which credentials images were fetched, so that a pod can't use another's private image just because it lies on the node
 * (KEP-2535). Images that came by other ways are everybody's.
 */
export interface PullRecords {
  notePulled(imageId: string, name: string, used: RegistryCredentials | undefined): Promise<void>;
  /** Whether a pod with these credentials may use the image that is there. */
  allows(imageId: string, name: string, credentials: readonly RegistryCredentials[]): Promise<boolean>;
}

const isUsable = (value: object): boolean =>
  isMapOfObjects(value) &&
  Object.values(value as Records).every(
    (of) => isMapOfObjects(of) && Object.values(of).every((a) => typeof a.anyone === 'boolean' && Array.isArray(a.hashes)),
  );

export function createPullRecords(file: string, log: Logger): PullRecords {
  let records: Promise<Records> | undefined;
  let saving: Promise<void> = Promise.resolve();
  const load = (): Promise<Records> => (records ??= readStateFile<Records>(file, { empty: {}, isUsable, log }));
  /** Something is known that is not on the disk. */
  let unsaved = false;
  const save = (): Promise<void> => {
    unsaved = true;
    saving = saving
      .catch(() => undefined)
      .then(async () => {
        await writeStateFile(file, await load(), 0o600);
        unsaved = false;
      });
    return saving;
  };
  return {
    notePulled: async (imageId, name, used) => {
      const all = await load();
      const repository = repositoryOf(name);
      const access = ((all[imageId] ??= {})[repository] ??= { anyone: false, hashes: [] });
      if (used === undefined) {
        if (access.anyone && !unsaved) return;
        access.anyone = true;
      } else {
        const hash = hashCredentials(used);
        if (access.hashes.includes(hash) && !unsaved) return;
        access.hashes = [...access.hashes.filter((h) => h !== hash), hash].slice(-maxHashes);
      }
      await save();
    },
    allows: async (imageId, name, credentials) => {
      const known = (await load())[imageId];
      if (known === undefined) return true;
      const access = known[repositoryOf(name)];
      // Fetched under another name: this one has to be asked for.
      if (access === undefined) return false;
      return access.anyone || credentials.some((c) => access.hashes.includes(hashCredentials(c)));
    },
  };
}
