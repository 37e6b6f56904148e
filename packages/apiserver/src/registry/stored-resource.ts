import type { ResourceDefinition } from '@skiff/apimachinery';
import type { History } from '../storage/history.ts';
import type { LogFollower } from '../storage/log-follower.ts';
import type { ResourceCache } from '../storage/resource-cache.ts';
import type { View } from '../storage/view.ts';
import type { WatchHub } from '../storage/watch-hub.ts';
import type { ConvertObjects } from '../contract.ts';
import type { ResourceCodec } from './resource-codec.ts';
import type { KnownConversions } from './webhook-conversion.ts';

/** Objects below one storage prefix: what all their served versions share. */
export interface StoredResource {
  /** Ends in `/`. */
  readonly prefix: string;
  readonly cache: ResourceCache;
  readonly follower: LogFollower;
  readonly history: History;
  readonly hub: WatchHub;
}

/** One resource in one served version. */
export interface ServedResource {
  readonly definition: ResourceDefinition;
  readonly stored: StoredResource;
  readonly view: View;
  readonly codec: ResourceCodec;
  /** For versions that a webhook converts. */
  readonly convert: ConvertObjects;
  readonly conversions: KnownConversions;
}

/** The key of an object in the store. */
export const keyOf = (resource: ServedResource, namespace: string, name: string): string =>
  resource.definition.scope === 'Namespaced' ? `${resource.stored.prefix}${namespace}/${name}` : `${resource.stored.prefix}${name}`;
