import { readFileSync } from 'node:fs';
import { maxHeaderSize } from 'node:http';
import {
  createLogger,
  exitMessage,
  FlagError,
  formatHelp,
  type Flags,
  parseFlags,
  processSignal,
  systemClock,
  type Logger,
} from '@skiff/component-base';
import { createEtcdStore, createMemoryStore, createRedisStore, type DurableStore } from '@skiff/storage';
import { createApiServer } from './api-server.ts';
import { configFromFlags } from './config.ts';
import { apiServerFlags } from './flags.ts';
import { createRegistry } from './registry/registry.ts';

type ApiServerFlags = Flags<typeof apiServerFlags>;

/** What upstream takes in a request's headers; node's own limit can only be set on its command line. */
const headerBytes = 1_048_576;

function openStore(flags: ApiServerFlags, log: Logger): DurableStore {
  const deps = { clock: systemClock, log: log.child({ part: 'store' }) };
  if (flags['storage-backend'] === 'memory') return createMemoryStore({}, deps);
  if (flags['storage-backend'] !== 'etcd') throw new FlagError(`--storage-backend takes etcd or memory, not "${flags['storage-backend']}"`);
  if (flags['etcd-servers'].length === 0) throw new FlagError('--etcd-servers is required with --storage-backend=etcd');
  const read = (file: string | undefined): Buffer | undefined => (file === undefined ? undefined : readFileSync(file));
  const [ca, cert, key] = [read(flags['etcd-cafile']), read(flags['etcd-certfile']), read(flags['etcd-keyfile'])];
  return createEtcdStore(
    {
      endpoints: flags['etcd-servers'],
      ...(ca === undefined ? {} : { tls: { ca, ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) } }),
    },
    deps,
  );
}

/** `--v` as upstream counts: 0 to 3 tell what happens, from 4 on each request is logged. */
const logLevel = (v: number): string => (v >= 6 ? 'trace' : v >= 4 ? 'debug' : 'info');

async function main(args: readonly string[]): Promise<number> {
  const flags = parseFlags(apiServerFlags, args);
  const log = createLogger('apiserver', logLevel(flags.v));
  if (maxHeaderSize < headerBytes)
    log.warn(
      { maxHeaderSize },
      `long headers and URLs over HTTP/1.1 will be refused: start node with --max-http-header-size=${headerBytes}`,
    );
  const signal = processSignal();
  await using store = openStore(flags, log);
  await using ephemeralStore =
    flags['redis-url'] === undefined ? undefined : createRedisStore({ url: flags['redis-url'] }, { clock: systemClock });
  const server = createApiServer(configFromFlags(flags), {
    store,
    ...(ephemeralStore === undefined ? {} : { ephemeralStore }),
    clock: systemClock,
    log,
    createRegistry,
  });
  await server.run(signal);
  log.info('stopped');
  return 0;
}

const args = process.argv.slice(2);
if (args.includes('--help')) {
  process.stdout.write(formatHelp('apiserver', apiServerFlags));
} else {
  try {
    process.exitCode = await main(args);
  } catch (error) {
    process.stderr.write(`apiserver: ${exitMessage(error)}\n`);
    process.exitCode = 1;
  }
}
