import { readFileSync } from 'node:fs';
import { FlagError, type Flags, type Logger, systemClock } from '@skiff/component-base';
import {
  createEtcdStore,
  createMemoryStore,
  createRedisStore,
  type DurableStore,
  type RevisionedStore,
  withRevisionOffset,
} from '@skiff/storage';
import { builtinResources } from '@skiff/api';
import { withEncryption } from './encryption/encrypted-store.ts';
import { type Encryption, openEncryption } from './encryption/encryption.ts';
import { createKeyLayout } from './storage/key-layout.ts';
import type { apiServerFlags } from './flags.ts';

export type ApiServerFlags = Flags<typeof apiServerFlags>;

/** How objects are encrypted; undefined: not at all. Throws EncryptionConfigError. */
export function openFlaggedEncryption(flags: ApiServerFlags, log: Logger): Encryption | undefined {
  const file = flags['encryption-provider-config'];
  if (file === undefined) return undefined;
  const { root } = createKeyLayout(flags['etcd-prefix']);
  return openEncryption(
    { file, reload: flags['encryption-provider-config-automatic-reload'], root },
    { definitions: builtinResources, clock: systemClock, log: log.child({ part: 'encryption' }) },
  );
}

/** The store of what must survive, as the flags say. Throws FlagError. */
export function openStore(flags: ApiServerFlags, log: Logger, encryption: Encryption | undefined): DurableStore {
  const store = openDatabase(flags, log);
  return encryption === undefined ? store : withEncryption(store, encryption);
}

function openDatabase(flags: ApiServerFlags, log: Logger): DurableStore {
  const deps = { clock: systemClock, log: log.child({ part: 'store' }) };
  if (flags['storage-backend'] === 'memory') return createMemoryStore({}, deps);
  if (flags['storage-backend'] !== 'etcd') throw new FlagError(`--storage-backend takes etcd or memory, not "${flags['storage-backend']}"`);
  if (flags['etcd-servers'].length === 0) throw new FlagError('--etcd-servers is required with --storage-backend=etcd');
  const read = (file: string | undefined): Buffer | undefined => (file === undefined ? undefined : readFileSync(file));
  const [ca, cert, key] = [read(flags['etcd-cafile']), read(flags['etcd-certfile']), read(flags['etcd-keyfile'])];
  const etcd = createEtcdStore(
    {
      endpoints: flags['etcd-servers'],
      ...(ca === undefined ? {} : { tls: { ca, ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) } }),
    },
    deps,
  );
  return withRevisionOffset(etcd);
}

/** The store of what expires; undefined: it lies with everything else. */
export function openEphemeralStore(flags: ApiServerFlags, encryption: Encryption | undefined): RevisionedStore | undefined {
  if (flags['redis-url'] === undefined) return undefined;
  const store = createRedisStore({ url: flags['redis-url'] }, { clock: systemClock });
  return encryption === undefined ? store : withEncryption(store, encryption);
}
