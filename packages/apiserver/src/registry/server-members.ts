import type { Logger } from '@skiff/component-base';
import type { DurableStore } from '@skiff/storage';
import type { ServerMembers } from '../contract.ts';
import type { ResourceCache } from '../storage/resource-cache.ts';
import type { StoredEntry } from '../storage/stored-entry.ts';

interface Member {
  readonly ip: string;
  readonly port: number;
}

/** In upstream's place and form (`masterleases`), but with the port in the key: two on one machine are two. */
export function createServerMembers(
  config: { readonly root: string },
  deps: { store: DurableStore; cache: ResourceCache; log: Logger },
): ServerMembers {
  const parse = (entry: StoredEntry): Member | undefined => {
    try {
      const value = JSON.parse(entry.value.toString()) as {
        subsets?: { addresses?: { ip?: string }[]; ports?: { port?: number }[] }[];
      };
      const ip = value.subsets?.[0]?.addresses?.[0]?.ip;
      const port = value.subsets?.[0]?.ports?.[0]?.port;
      return ip === undefined || port === undefined ? undefined : { ip, port };
    } catch (error) {
      deps.log.warn({ err: error, key: entry.key }, 'an apiserver’s entry can’t be read');
      return undefined;
    }
  };
  return {
    list: () =>
      deps.cache.entries
        .slice(deps.cache.prefix)
        .map(parse)
        .filter((m) => m !== undefined),
    subscribe: (changed) => deps.cache.subscribe({ event: changed, reset: changed }),
    join: ({ ip, port }, o) => {
      const value = {
        kind: 'Endpoints',
        apiVersion: 'v1',
        metadata: {},
        subsets: [{ addresses: [{ ip }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
      };
      return deps.store.hold(`${config.root}masterleases/${ip}:${port}`, Buffer.from(JSON.stringify(value)), o);
    },
  };
}
