import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { extract } from 'tar-stream';
import type { Engine } from './engine.ts';
import { asRuntimeError, engineStatusCode, unlessGone } from './engine-error.ts';
import { labelNames } from './labels.ts';
import { removeQuietly } from './sandboxes.ts';

/** What an image says of users: its own one, and its /etc/passwd and /etc/group. */
export interface ImageAccounts {
  /** `USER` of the image: `name`, `uid`, either with `:group`, or ''. */
  readonly user: string;
  readonly passwd: string;
  readonly group: string;
}

/** Whom a container's first process runs as. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly supplementalGroups: readonly number[];
}

const numeric = (name: string): number | undefined => (/^\d+$/.test(name) ? Number(name) : undefined);
const rows = (file: string): string[][] =>
  file
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => line.trim().split(':'));

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** A user that no line tells of can still be given by number; its group is root then. undefined: nobody has that name. */
function findAccount(user: string, accounts: ImageAccounts): Account | undefined {
  const uid = numeric(user === '' ? '0' : user);
  for (const [name = '', , id = '', group = ''] of rows(accounts.passwd)) {
    if (name === user || (uid !== undefined && numeric(id) === uid)) return { name, uid: numeric(id) ?? 0, gid: numeric(group) ?? 0 };
  }
  return uid === undefined ? undefined : { name: '', uid, gid: 0 };
}
const groupsOf = (account: Account, accounts: ImageAccounts): number[] =>
  account.name === ''
    ? []
    : rows(accounts.group).flatMap(([, , id = '', members = '']) =>
        members.split(',').includes(account.name) && numeric(id) !== undefined ? [Number(id)] : [],
      );
const findGroup = (group: string, accounts: ImageAccounts): number | undefined =>
  numeric(group) ?? numeric(rows(accounts.group).find(([name]) => name === group)?.[2] ?? '');

/** As the engine reads `User`: with a group in it, the image's groups of the user don't count. undefined: it names nobody. */
export function resolveUser(user: string, groupAdd: readonly number[], accounts: ImageAccounts): ContainerUser | undefined {
  const [name = '', group = ''] = user.split(':');
  const account = findAccount(name, accounts);
  const gid = group === '' ? account?.gid : findGroup(group, accounts);
  if (account === undefined || gid === undefined) return undefined;
  const own = group === '' ? groupsOf(account, accounts) : [];
  return { uid: account.uid, gid, supplementalGroups: [...new Set([gid, ...own, ...groupAdd])] };
}

/** Whether `User` says everything by itself. */
export const isExplicitUser = (user: string): boolean => /^\d+:\d+$/.test(user);

/**
 * `User` and groups with which the engine does what a policy means: Strict keeps the image's groups out, Merge adds those of the
 * user, which the engine leaves out as soon as a group is given. undefined: the image has no such user.
 */
export function applyGroupsPolicy(
  policy: 'merge' | 'strict',
  o: { readonly user: string; readonly groups: readonly number[]; readonly accounts: ImageAccounts },
): { readonly user: string; readonly groups: readonly number[] } | undefined {
  const effective = o.user === '' ? o.accounts.user : o.user;
  const [name = ''] = effective.split(':');
  const resolved = resolveUser(effective, [], o.accounts);
  const account = findAccount(name, o.accounts);
  if (resolved === undefined || account === undefined) return undefined;
  const fromImage = policy === 'strict' ? [] : groupsOf(account, o.accounts);
  return { user: `${resolved.uid}:${resolved.gid}`, groups: [...new Set([...fromImage, ...o.groups])] };
}

const maxFileBytes = 1024 * 1024;
const maxLinks = 5;

/** Reads no more than it needs, and lets go of the connection: what is left of the answer would keep it, and the engine's lock, for ever. */
async function readEntry(archive: Readable): Promise<{ link: string } | { text: string }> {
  const entries = extract();
  archive.on('error', (error) => entries.destroy(error));
  try {
    for await (const entry of archive.pipe(entries)) {
      if (entry.header.type === 'symlink') return { link: entry.header.linkname ?? '' };
      if (entry.header.type !== 'file' || (entry.header.size ?? 0) > maxFileBytes) break;
      return { text: await text(entry) };
    }
    return { text: '' };
  } finally {
    archive.destroy();
  }
}

/** '' for what is not there. */
async function readFile(engine: Engine, containerId: string, file: string, signal: AbortSignal): Promise<string> {
  let name = file;
  for (let i = 0; i < maxLinks; i++) {
    const archive = await unlessGone(
      engine.stream({ method: 'GET', path: `/containers/${containerId}/archive`, query: { path: name }, signal }),
    );
    if (archive === undefined) return '';
    const found = await readEntry(archive);
    if ('text' in found) return found.text;
    name = path.posix.resolve(path.posix.dirname(name), found.link);
  }
  return '';
}

export interface ImageAccountsReader {
  /** Read once for each image; image IDs are content addresses. A read that failed is tried again. */
  get(imageId: string): Promise<ImageAccounts>;
  /** For those who can do without: undefined when it takes long, and for a while after it failed. Never rejects. */
  soon(imageId: string): Promise<ImageAccounts | undefined>;
}

interface Reading {
  readonly accounts: Promise<ImageAccounts>;
  /** Settles early, whatever comes of the read. */
  soon: Promise<ImageAccounts | undefined>;
  failedAtMs?: number;
}

const maxCached = 500;

export interface ImageAccountsLimits {
  /** For both files of an image. */
  readonly readMs: number;
  /** From the beginning of a read, for those who can do without. */
  readonly soonMs: number;
  /** How long they do without after it failed. */
  readonly retryMs: number;
}

export function createImageAccounts(o: {
  readonly engine: Engine;
  readonly instance: string;
  readonly limits?: ImageAccountsLimits;
}): ImageAccountsReader {
  const limits = o.limits ?? { readMs: 15_000, soonMs: 2000, retryMs: 60_000 };
  const cache = new Map<string, Reading>();
  const prefix = `skiff-${o.instance}-accounts-`;
  let swept: Promise<void> | undefined;

  /** What a process left that was killed while it read: it would pin its image. */
  const sweep = async (): Promise<void> => {
    const docker = await o.engine.docker();
    const found = await docker.listContainers({ all: true, filters: { label: [`${labelNames.instance}=${o.instance}`], name: [prefix] } });
    const left = found.filter((c) => c.Names.some((name) => name.startsWith(`/${prefix}`)));
    await Promise.all(left.map((c) => removeQuietly(docker.getContainer(c.Id).remove({ force: true, v: true }))));
  };

  /** An image can only be read through a container, which is never started. */
  const read = async (id: string): Promise<ImageAccounts> => {
    const docker = await o.engine.docker();
    // Once, before there is anything of this process's own. A leftover that can't be removed keeps nobody from reading, and is looked for again.
    swept ??= sweep().catch(() => {
      swept = undefined;
    });
    await swept;
    const name = `${prefix}${id.replace('sha256:', '').slice(0, 12)}`;
    const create = (): Promise<Docker.Container> =>
      docker.createContainer({ name, Image: id, Entrypoint: ['/'], Labels: { [labelNames.instance]: o.instance }, NetworkDisabled: true });
    const begin = async (): Promise<[Docker.ImageInspectInfo, Docker.Container]> => [
      await docker.getImage(id).inspect(),
      await create().catch(async (error: unknown) => {
        if (engineStatusCode(error) !== 409) throw error;
        await removeQuietly(docker.getContainer(name).remove({ force: true, v: true }));
        return create();
      }),
    ];
    const [inspected, container] = await begin().catch((error: unknown) => {
      throw asRuntimeError(error);
    });
    try {
      const signal = AbortSignal.timeout(limits.readMs);
      const passwd = await readFile(o.engine, container.id, '/etc/passwd', signal);
      const group = await readFile(o.engine, container.id, '/etc/group', signal);
      return { user: inspected.Config?.User ?? '', passwd, group };
    } finally {
      await removeQuietly(container.remove({ force: true, v: true }));
    }
  };
  const begin = (imageId: string): Reading => {
    const accounts = read(imageId);
    let late: NodeJS.Timeout | undefined;
    const soon = new Promise<undefined>((resolve) => {
      late = setTimeout(() => resolve(undefined), limits.soonMs);
    });
    const reading: Reading = { accounts, soon: Promise.race([accounts.catch(() => undefined), soon]) };
    accounts
      .then(
        () => (reading.soon = accounts),
        () => (reading.failedAtMs = performance.now()),
      )
      .finally(() => clearTimeout(late));
    cache.delete(imageId);
    cache.set(imageId, reading);
    const oldest = cache.keys().next();
    if (cache.size > maxCached && oldest.done !== true) cache.delete(oldest.value);
    return reading;
  };
  return {
    get: (imageId) => {
      const known = cache.get(imageId);
      return (known === undefined || known.failedAtMs !== undefined ? begin(imageId) : known).accounts;
    },
    soon: (imageId) => {
      const known = cache.get(imageId);
      const retry = known?.failedAtMs !== undefined && performance.now() - known.failedAtMs >= limits.retryMs;
      return (known === undefined || retry ? begin(imageId) : known).soon;
    },
  };
}
