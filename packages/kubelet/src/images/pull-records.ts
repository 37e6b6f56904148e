import { createHash } from 'node:crypto';
import type { Logger } from '@skiff/component-base';
import type { RegistryCredentials } from '@skiff/cri';
import { isMapOfObjects, readStateFile, writeStateFile } from '../host/state-file.ts';
import { type CredentialSource, repositoryOf, type TrackedCredentials } from './keyring.ts';
import type { VerificationPolicy } from './verification-policy.ts';

/** Who may use an image that this node fetched: everybody, or those who have what fetched it. */
interface Access {
  anyone: boolean;
  /** SHA-256 of credentials; these themselves are not kept. */
  hashes: string[];
  /** Secrets and ServiceAccounts whose credentials did it, whatever they are by now. */
  owners?: string[];
}
/** By image ID, then by repository. */
type Records = Record<string, Record<string, Access>>;

/** Newest credentials of one image that are remembered. */
const maxRemembered = 100;

export const hashCredentials = (c: RegistryCredentials): string =>
  createHash('sha256')
    .update(JSON.stringify([c.username, c.password, c.identityToken ?? '']))
    .digest('hex');

const ownerOf = (s: Exclude<CredentialSource, { kind: 'node' }>): string => `${s.kind}/${s.namespace}/${s.name}/${s.uid}`;

const isUsable = (value: object): boolean =>
  isMapOfObjects(value) &&
  Object.values(value as Records).every(
    (of) => isMapOfObjects(of) && Object.values(of).every((a) => typeof a.anyone === 'boolean' && Array.isArray(a.hashes)),
  );

/**
 * Remembers with which credentials images were fetched, so that a pod can't use another's private image just because it lies on the node
 * (KEP-2535).
 */
export interface PullRecords {
  /** Before a pull: until `pullEnded`, and after a crash in between, the image counts as fetched by this node. */
  pullBegins(name: string): Promise<void>;
  notePulled(imageId: string, name: string, used: TrackedCredentials | undefined): Promise<void>;
  pullEnded(name: string, succeeded: boolean): Promise<void>;
  /** Whether a pod with these credentials may use the image that is there, without asking the registry. */
  allows(imageId: string, name: string, credentials: () => Promise<readonly TrackedCredentials[]>): Promise<boolean>;
  /** Forgets images that are gone: who brings them back by hand makes them everybody's. */
  forgetGone(present: () => Promise<ReadonlySet<string>>): Promise<void>;
}

export function createPullRecords(
  config: { readonly file: string; readonly intentsFile: string; readonly policy: VerificationPolicy },
  log: Logger,
): PullRecords {
  let records: Promise<Records> | undefined;
  const running = new Map<string, number>();
  /** Names of pulls that a former kubelet began, and nobody answered for since. */
  let leftOpen: Promise<Set<string>> | undefined;
  /** Noted while it is found out what is gone. */
  let noted = new Set<string>();
  let saving: Promise<void> = Promise.resolve();
  const load = (): Promise<Records> => (records ??= readStateFile<Records>(config.file, { empty: {}, isUsable, log }));
  const loadOpen = (): Promise<Set<string>> =>
    (leftOpen ??= readStateFile<string[]>(config.intentsFile, { empty: [], isUsable: Array.isArray, log }).then((names) => new Set(names)));
  const queue = (write: () => Promise<void>): Promise<void> => {
    saving = saving.catch(() => undefined).then(write);
    return saving;
  };
  /** Something is known that is not on the disk. */
  let unsaved = false;
  const save = (): Promise<void> => {
    unsaved = true;
    return queue(async () => {
      await writeStateFile(config.file, await load(), 0o600);
      unsaved = false;
    });
  };
  const saveIntents = (): Promise<void> =>
    queue(async () => writeStateFile(config.intentsFile, [...new Set([...(await loadOpen()), ...running.keys()])], 0o600));

  const grant = (access: Access, used: TrackedCredentials | undefined): boolean => {
    if (access.anyone) return false;
    if (used === undefined || used.source.kind === 'node') {
      access.anyone = true;
      return true;
    }
    const owner = ownerOf(used.source);
    // Tokens of ServiceAccounts change all the time: who it is counts.
    const hash = used.source.kind === 'secret' ? hashCredentials(used.credentials) : undefined;
    const knowsOwner = access.owners?.includes(owner) === true;
    if (knowsOwner && (hash === undefined || access.hashes.includes(hash))) return false;
    access.owners = [...(access.owners ?? []).filter((o) => o !== owner), owner].slice(-maxRemembered);
    if (hash !== undefined) access.hashes = [...access.hashes.filter((h) => h !== hash), hash].slice(-maxRemembered);
    return true;
  };

  return {
    pullBegins: async (name) => {
      const known = (await loadOpen()).has(name) || running.has(name);
      running.set(name, (running.get(name) ?? 0) + 1);
      if (!known) await saveIntents();
    },
    pullEnded: async (name, succeeded) => {
      const open = await loadOpen();
      if (succeeded) open.delete(name);
      const left = (running.get(name) ?? 1) - 1;
      if (left > 0) running.set(name, left);
      else running.delete(name);
      if (left > 0 || open.has(name)) return;
      // What stays on the disk only has pods asked once more for what they may use.
      await saveIntents().catch((error: unknown) => log.warn({ err: error, image: name }, 'the end of a pull could not be recorded'));
    },
    notePulled: async (imageId, name, used) => {
      const all = await load();
      noted.add(imageId);
      const access = ((all[imageId] ??= {})[repositoryOf(name)] ??= { anyone: false, hashes: [] });
      if (grant(access, used) || unsaved) await save();
    },
    allows: async (imageId, name, credentials) => {
      const known = (await load())[imageId];
      const pulledHere = known !== undefined || running.has(name) || (await loadOpen()).has(name);
      if (!config.policy.mustVerify(name, pulledHere)) return true;
      // Fetched under another name, or by nobody knows what: the registry has to be asked for this one.
      const access = known?.[repositoryOf(name)];
      if (access === undefined) return false;
      if (access.anyone) return true;
      for (const c of await credentials()) {
        if (c.source.kind === 'node') continue;
        if (access.owners?.includes(ownerOf(c.source)) !== true && !access.hashes.includes(hashCredentials(c.credentials))) continue;
        if (grant(access, c)) await save();
        return true;
      }
      return false;
    },
    forgetGone: async (present) => {
      noted = new Set();
      const there = await present();
      const all = await load();
      const gone = Object.keys(all).filter((id) => !there.has(id) && !noted.has(id));
      if (gone.length === 0) return;
      for (const id of gone) delete all[id];
      await save();
    },
  };
}
