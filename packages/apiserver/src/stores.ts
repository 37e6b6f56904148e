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
import type { apiServerFlags } from './flags.ts';

export type ApiServerFlags = Flags<typeof apiServerFlags>;

/** The store of what must survive, as the flags say. Throws FlagError. */
export function openStore(flags: ApiServerFlags, log: Logger): DurableStore {
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
export const openEphemeralStore = (flags: ApiServerFlags): RevisionedStore | undefined =>
  flags['redis-url'] === undefined ? undefined : createRedisStore({ url: flags['redis-url'] }, { clock: systemClock });
