import { configMap, type ConfigMap } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Logger } from '@skiff/component-base';
import type { ObjectAccess } from '../contract.ts';

const place = { namespace: 'kube-system', name: 'revoked-certificates' } as const;

/** Lines `user time`, in any of the values; what is no such line is told. */
function readRevocations(map: DeepReadonly<ConfigMap>, complain: (line: string) => void): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const line of Object.values(map.data ?? {}).flatMap((text) => text.split('\n'))) {
    if (line.trim() === '' || line.trim().startsWith('#')) continue;
    const [user = '', time = '', ...more] = line.trim().split(/\s+/);
    const atMs = Date.parse(time);
    if (Number.isNaN(atMs) || more.length > 0) complain(line);
    else out.set(user, Math.max(atMs, out.get(user) ?? 0));
  }
  return out;
}

/**
 * Until when certificates of a user are no longer good, milliseconds since the epoch: those that begin before. Told by a ConfigMap, since a
 * certificate authority of a cluster has no list of its own. undefined: all are good.
 */
export function createRevocations(deps: { objects: ObjectAccess; log: Logger }): (user: string) => number | undefined {
  let seen: unknown;
  let revoked: ReadonlyMap<string, number> = new Map();
  return (user) => {
    const map = deps.objects.get<ConfigMap>(configMap, place.namespace, place.name);
    if (map !== seen) {
      seen = map;
      revoked =
        map === undefined
          ? new Map()
          : readRevocations(map, (line) =>
              deps.log.error({ configMap: place, line }, 'a line of the revoked certificates is no "user time"'),
            );
    }
    return revoked.get(user);
  };
}
