import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Endpoints } from '@skiff/api';
import type { ResourceRef } from '@skiff/apimachinery';
import { silentLogger, systemClock, type Clock, type Logger } from '@skiff/component-base';
import type { ClientConfig } from './client-config.ts';
import type { Client } from './contract.ts';
import { createClient } from './create-client.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import { createReflector } from './reflector.ts';
import { createServerPool, type ServerPool } from './server-pool.ts';
import type { Middleware } from './transport.ts';

const endpoints: ResourceRef<Endpoints> = { group: '', version: 'v1', kind: 'Endpoints', plural: 'endpoints', scope: 'Namespaced' };

/** A client of the whole control plane, whichever of its apiservers live. */
export interface ControlPlane {
  readonly client: Client;
  /** What the kubeconfig says. */
  readonly config: ClientConfig;
  /** For whoever talks to every apiserver at once. */
  readonly servers: ServerPool;
  /** For a leader election: whether this apiserver is the only one; undefined until the cluster has told. */
  readonly alone: { is(): boolean | undefined; subscribe(changed: () => void): Disposable };
  /** Follows the endpoints of the Service `kubernetes`, and remembers them beside the kubeconfig. Ends with `signal`. */
  follow(signal: AbortSignal): Promise<void>;
}

/** Where the learned servers of a kubeconfig are kept: a JSON list of URLs. */
export const serversFileOf = (kubeconfig: string): string => `${kubeconfig}.servers`;

/** URLs of the apiservers behind the endpoints of the Service `kubernetes`. */
export function serversOf(e: Endpoints): readonly string[] {
  return (e.subsets ?? []).flatMap((subset) => {
    const port = subset.ports?.find((p) => p.name === 'https') ?? subset.ports?.[0];
    if (port?.port === undefined) return [];
    return (subset.addresses ?? []).map(({ ip }) => `https://${ip.includes(':') ? `[${ip}]` : ip}:${port.port}`);
  });
}

/** What was learned in an earlier life; nothing if the file is absent or is no list of URLs. */
function readServers(path: string, log: Logger): readonly string[] {
  if (!existsSync(path)) return [];
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!Array.isArray(value)) throw new TypeError('not a list');
    return value.filter((s): s is string => typeof s === 'string' && URL.canParse(s) && s.startsWith('https://'));
  } catch (error) {
    log.warn({ path, err: error }, 'the list of known apiservers can’t be read; it will be written anew');
    return [];
  }
}

function writeServers(path: string, servers: readonly string[]): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(servers)}\n`, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/**
 * A client that fails over between the kubeconfig's server and those that the cluster itself names, learned now or in an earlier life.
 * Throws KubeconfigError.
 */
export function connectControlPlane(
  kubeconfig: string,
  o: { userAgent: string; middleware?: readonly Middleware[] },
  deps: { clock?: Clock; log?: Logger } = {},
): ControlPlane {
  const clock = deps.clock ?? systemClock;
  const log = deps.log ?? silentLogger;
  const config = loadKubeconfig(kubeconfig, { userAgent: o.userAgent });
  const file = serversFileOf(kubeconfig);
  let known = readServers(file, log);
  const ownAddresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((a) => a.address));
  const servers = createServerPool({ configured: config.servers, learned: known, ownAddresses }, { clock });
  const client = createClient(config, { clock, log, servers, ...(o.middleware === undefined ? {} : { middleware: o.middleware }) });

  const listeners = new Set<() => void>();

  /** An empty list is no news: without any apiserver nobody could have told. */
  const learn = (object: Endpoints | undefined): void => {
    const found = object === undefined ? [] : serversOf(object).toSorted();
    if (found.length === 0 || JSON.stringify(found) === JSON.stringify(known)) return;
    known = found;
    servers.learn(found);
    for (const changed of listeners) changed();
    try {
      writeServers(file, found);
    } catch (error) {
      log.warn({ path: file, err: error }, 'the known apiservers can’t be remembered');
    }
  };

  return {
    client,
    config,
    servers,
    alone: {
      is: () => (known.length === 0 ? undefined : known.length === 1),
      subscribe: (changed) => {
        const listener = (): void => changed();
        listeners.add(listener);
        return { [Symbol.dispose]: () => void listeners.delete(listener) };
      },
    },
    follow: (signal) =>
      createReflector<Endpoints>(
        {
          resource: endpoints,
          options: { namespace: 'default', fieldSelector: 'metadata.name=kubernetes' },
          sink: {
            replace: (objects) => learn(objects[0]),
            apply: (type, object) => learn(type === 'DELETED' ? undefined : object),
            progress: () => undefined,
          },
        },
        { client, clock, log },
      ).run(signal),
  };
}
