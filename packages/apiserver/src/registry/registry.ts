import {
  createFieldManager,
  internalError,
  type FieldManager,
  type JsonObject,
  type KubeObject,
  type MergeMap,
  mergeTypeOf,
  type OtherVersion,
  type ResourceDefinition,
  type ResourceStrategy,
  type SubresourceDefinition,
} from '@skiff/apimachinery';
import { childSignal } from '@skiff/component-base';
import type { RevisionedStore } from '@skiff/storage';
import type { ConvertObjects, RegistryConfig, RegistryDeps, ResourceEndpoint, ResourceRegistry, SubresourceHandler } from '../contract.ts';
import { runCompactor } from '../storage/compactor.ts';
import { History } from '../storage/history.ts';
import { createKeyLayout } from '../storage/key-layout.ts';
import { LogFollower } from '../storage/log-follower.ts';
import { View } from '../storage/view.ts';
import { WatchHub } from '../storage/watch-hub.ts';
import { createServiceAllocation } from './allocators/service-allocation.ts';
import type { KindLookup } from './body-kind.ts';
import { customResourceHooks } from './custom-resource-hooks.ts';
import { createEndpoint, createSubresourceEndpoint } from './endpoints.ts';
import { createDeviceHooks } from './device-hooks.ts';
import { jobHooks } from './job-hooks.ts';
import { namespaceHooks } from './namespace-hooks.ts';
import { createLeaderGuard, type LeaderGuard, parseLeaderClaim } from './leader-guard.ts';
import { createObjectAccess } from './object-access.ts';
import { createServerMembers } from './server-members.ts';
import { apiVersionOf } from './render.ts';
import type { ResourceHooks } from './resource-hooks.ts';
import { prepareHeavy } from './prepare-heavy.ts';
import { codecOf, idOf } from './served-codecs.ts';
import { indexedFieldOf } from './selection.ts';
import { keyOf, type ServedResource, type StoredResource } from './stored-resource.ts';
import type { SubresourceDeps } from './subresources/subresource.ts';
import { bindingsEndpoint, registrySubresources } from './subresources/subresources.ts';
import { expiredStatus, failedStatus } from './watch-session.ts';
import { conversionOf, KnownConversions } from './webhook-conversion.ts';
import type { WriteDeps, WriteTarget } from './write-endpoints.ts';

const bookmarkMs = 60_000;
const compactionMs = 5 * 60_000;
const readyProbeMs = 250;

/** Everything that is served, over the caches of one durable store and, for what expires, an ephemeral one. Does no I/O before `run`. */
export function createRegistry(config: RegistryConfig, deps: RegistryDeps): ResourceRegistry {
  const { clock, log } = deps;
  const layout = createKeyLayout(config.keyPrefix);
  const lifetime = new AbortController();
  const prepare = deps.formOf === undefined ? undefined : prepareHeavy(deps.formOf, (d) => crdOf(d));
  const follow = (store: RevisionedStore): LogFollower =>
    new LogFollower({ root: layout.root }, { store, clock, log, ...(prepare && { prepare }) });
  const durable = follow(deps.store);
  const ephemeral = deps.ephemeralStore === undefined ? undefined : follow(deps.ephemeralStore);
  const followers = ephemeral === undefined ? [durable] : [durable, ephemeral];
  /** All that is served now, custom kinds included: another array after each change. */
  let current: readonly ResourceDefinition[] = config.definitions;
  const byKind = new Map(config.definitions.map((d) => [`${d.group}/${d.version}/${d.kind}`, d]));
  const kinds: KindLookup = (group, version, kind) => byKind.get(`${group}/${version}/${kind}`);

  const definition = (group: string, plural: string): ResourceDefinition | undefined =>
    config.definitions.find((d) => d.group === group && d.plural === plural);

  const conversions = new KnownConversions();
  const convert: ConvertObjects = deps.convert ?? (() => Promise.reject(internalError(new Error('this server calls no webhooks'))));
  const storedByPrefix = new Map<string, StoredResource & { slots: number }>();
  const served = new Map<string, ServedResource>();
  for (const d of config.definitions) keep(d);

  /** Gives a definition its place in the store, and its view of it. */
  function keep(d: ResourceDefinition): void {
    if (d.virtual === true) return;
    const stored = storedResource(d);
    const codec = codecOf(config.schema, current, d);
    const view = new View(d, stored.slots++, (value) => codec.serve(value), conversionOf(d, codec, convert));
    stored.cache.views.push(view);
    served.set(idOf(d), { definition: d, stored, view, codec, convert, conversions });
  }

  function storedResource(d: ResourceDefinition): StoredResource & { slots: number } {
    const prefix = layout.prefixOf(d);
    const known = storedByPrefix.get(prefix);
    if (known !== undefined) return known;
    const follower = d.ttlSeconds !== undefined && ephemeral !== undefined ? ephemeral : durable;
    const cache = follower.cache(prefix);
    const hub = new WatchHub(cache, {
      indexedField: indexedFieldOf(d),
      failure: failedStatus,
      expired: (revision) => expiredStatus(revision, follower.appliedRevision),
    });
    const stored = { prefix, cache, follower, hub, history: new History(cache, follower, () => clock.monotonicMs()), slots: 0 };
    storedByPrefix.set(prefix, stored);
    return stored;
  }

  const servedOf = (d: ResourceDefinition): ServedResource => {
    const resource = served.get(idOf(d));
    if (resource === undefined) throw new Error(`${idOf(d)} is not stored by this registry`);
    return resource;
  };
  const hooks: Record<string, ResourceHooks> = {
    '/namespaces': namespaceHooks,
    'batch/jobs': jobHooks,
    'apiextensions.k8s.io/customresourcedefinitions': customResourceHooks,
  };
  const fieldManagers = new Map<string, FieldManager>();
  const fieldManager = (d: ResourceDefinition, subresource: string, resetFields: readonly string[]): FieldManager => {
    const id = `${idOf(d)}/${subresource}`;
    let manager = fieldManagers.get(id);
    if (manager === undefined) {
      manager = createFieldManager({
        apiVersion: apiVersionOf(d),
        kind: d.kind,
        type: mergeType(config, d),
        subresource,
        resetFields,
        otherVersion: (apiVersion) => otherVersion(config, current, d, apiVersion, conversions),
      });
      fieldManagers.set(id, manager);
    }
    return manager;
  };
  const target = (d: ResourceDefinition, subresource: string): WriteTarget => {
    const sub = subresource === '' ? undefined : d.subresources?.[subresource];
    if (subresource !== '' && sub?.strategy === undefined) throw new Error(`${idOf(d)}/${subresource} has no generic writes`);
    return {
      resource: servedOf(d),
      subresource,
      strategy: strategyOf(d, sub),
      fields: fieldManager(d, subresource, (sub === undefined ? d.resetFields : sub.resetFields) ?? []),
      hooks: hooks[`${d.group}/${d.plural}`],
    };
  };

  const objects = createObjectAccess({ clock, log, signal: lifetime.signal, served: servedOf, target });
  /** The JSON of the CustomResourceDefinition that a custom definition was made from. */
  function crdOf(d: ResourceDefinition): string | undefined {
    const crds = definition('apiextensions.k8s.io', 'customresourcedefinitions');
    const crd = crds && objects.get(crds, '', `${d.plural}.${d.group}`);
    return crd && JSON.stringify(crd);
  }
  const devices = createDeviceHooks((name) => {
    const namespaces = definition('', 'namespaces');
    return namespaces && objects.get(namespaces, '', name)?.metadata?.labels;
  });
  hooks['resource.k8s.io/resourceclaims'] = devices.claims;
  hooks['resource.k8s.io/resourceclaimtemplates'] = devices.templates;
  const services = createServiceAllocation(config, { objects, clock, log, store: deps.store, definition });
  if (services !== undefined) hooks['/services'] = services.hooks;
  const leaderGuard = (claim: string): LeaderGuard => {
    const d = definition('coordination.k8s.io', 'leases');
    if (d === undefined) throw new Error('this registry serves no Leases');
    return createLeaderGuard(parseLeaderClaim(claim), servedOf(d));
  };
  const writeDeps: WriteDeps = {
    clock,
    admission: deps.admission(objects),
    authorizeCreate: (r) => deps.authorizeCreate(r),
    leaderGuard,
    kinds,
  };
  const handlers = new Map<string, SubresourceHandler>(
    deps.subresources(objects).map((h) => [`${idOf({ ...h, plural: h.resource })}/${h.subresource}`, h]),
  );
  const subresourceDeps: SubresourceDeps = {
    ...writeDeps,
    schema: config.schema,
    objects,
    definition,
    target,
    fieldManager: (d, subresource) => fieldManager(d, subresource, d.resetFields ?? []),
  };
  const endpoints = new Map<string, ResourceEndpoint>();
  for (const d of config.definitions) open(d);

  /** Makes the endpoints of a definition. */
  function open(d: ResourceDefinition): void {
    const resource = served.get(idOf(d));
    const bindings = bindingsEndpoint(d, subresourceDeps);
    if (bindings !== undefined) endpoints.set(`${idOf(d)}/`, bindings);
    else if (resource !== undefined) endpoints.set(`${idOf(d)}/`, createEndpoint(target(d, ''), writeDeps));
    for (const subresource of Object.keys(d.subresources ?? {})) {
      const id = `${idOf(d)}/${subresource}`;
      const handler = handlers.get(id);
      const own = registrySubresources.find((s) => s.subresource === subresource && s.handles(d));
      const endpoint =
        handler !== undefined
          ? handler.create(d)
          : own !== undefined
            ? own.create(d, subresourceDeps)
            : resource !== undefined && d.subresources?.[subresource]?.strategy !== undefined
              ? createSubresourceEndpoint(target(d, subresource), writeDeps)
              : undefined;
      if (endpoint !== undefined) endpoints.set(id, endpoint);
    }
  }

  /** Takes a custom definition out of service: its watches end, running requests finish. */
  function withdraw(d: ResourceDefinition): void {
    const id = idOf(d);
    const resource = served.get(id);
    if (resource !== undefined) {
      resource.stored.hub.close(resource.view);
      const { views } = resource.stored.cache;
      views.splice(views.indexOf(resource.view), 1);
    }
    served.delete(id);
    byKind.delete(`${d.group}/${d.version}/${d.kind}`);
    for (const map of [endpoints, fieldManagers]) for (const key of map.keys()) if (key.startsWith(`${id}/`)) map.delete(key);
  }

  let custom: readonly ResourceDefinition[] = [];
  function serveCustom(definitions: readonly ResourceDefinition[]): void {
    const added = definitions.filter((d) => !custom.includes(d));
    const gone = custom.filter((d) => !definitions.includes(d));
    if (added.length === 0 && gone.length === 0) return;
    for (const d of gone) withdraw(d);
    custom = definitions;
    const seen = (d: ResourceDefinition): boolean => d.custom?.served !== false;
    current = [...config.definitions, ...definitions.filter(seen)];
    for (const d of added) if (seen(d)) byKind.set(`${d.group}/${d.version}/${d.kind}`, d);
    for (const d of added) keep(d);
    for (const d of added) if (seen(d)) open(d);
  }

  async function sendBookmarks(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(bookmarkMs, signal);
      for (const stored of storedByPrefix.values()) stored.hub.bookmark(stored.follower.appliedRevision);
    }
  }

  async function ready(signal: AbortSignal): Promise<void> {
    // What expires may be away: its requests fail while it is, and nothing else does.
    for (;;) {
      try {
        const revision = await durable.probeRevision();
        if (await durable.waitFor(revision, 10_000)) return;
      } catch (error) {
        log.warn({ err: error }, 'waiting for the store');
      }
      await clock.sleep(readyProbeMs, signal);
    }
  }

  return {
    lookup: (group, version, resource, subresource) => endpoints.get(`${idOf({ group, version, plural: resource })}/${subresource}`),
    definitions: () => current,
    serveCustom,
    extent: (info) => {
      const resource = served.get(idOf({ ...info, plural: info.resource }));
      if (resource === undefined) return { value: undefined, objects: 0, averageBytes: 0 };
      const { cache, prefix } = resource.stored;
      const averageBytes = cache.bytes / Math.max(1, cache.entries.size);
      if (info.name !== '') return { value: cache.newest(keyOf(resource, info.namespace, info.name))?.value, objects: 1, averageBytes };
      const count = cache.entries.count(info.namespace === '' ? prefix : `${prefix}${info.namespace}/`);
      return { value: undefined, objects: count, averageBytes };
    },
    storageStatistics: () => {
      const seen = new Map<string, { group: string; resource: string; objects: number; events: number }>();
      for (const { definition, stored } of served.values()) {
        const { cache } = stored;
        // Versions of a resource share a cache.
        const key = `${definition.group}/${definition.plural}`;
        seen.set(key, { group: definition.group, resource: definition.plural, objects: cache.entries.size, events: cache.eventsReceived });
      }
      return [...seen.values()];
    },
    objects,
    members: createServerMembers({ root: layout.root }, { store: deps.store, cache: durable.cache(`${layout.root}masterleases/`), log }),
    ready,
    async run(signal) {
      const scope = childSignal(signal);
      try {
        if (config.housekeeping === false) {
          await Promise.all(followers.map((f) => f.run(scope.signal)));
          return;
        }
        const loops = followers.flatMap((f) => [
          f.run(scope.signal),
          untilAborted(scope.signal, runCompactor({ intervalMs: compactionMs }, { store: f.store, clock, log, signal: scope.signal })),
        ]);
        if (services !== undefined)
          loops.push(
            untilAborted(
              scope.signal,
              ready(scope.signal).then(() => services.run(scope.signal)),
            ),
          );
        await Promise.all([...loops, untilAborted(scope.signal, sendBookmarks(scope.signal))]);
      } finally {
        scope.abort();
        scope[Symbol.dispose]();
        if (signal.aborted) lifetime.abort(signal.reason);
      }
    },
  };
}

/** A subresource's own; what it does not say about updates without resourceVersion is as the kind has it. */
function strategyOf(d: ResourceDefinition, sub: SubresourceDefinition<KubeObject> | undefined): ResourceStrategy<KubeObject> {
  const main = d.strategy ?? {};
  const own = sub === undefined ? main : (sub.strategy ?? {});
  if (own.allowUnconditionalUpdate !== undefined || main.allowUnconditionalUpdate === undefined) return own;
  return { ...own, allowUnconditionalUpdate: main.allowUnconditionalUpdate };
}

/** Sleeping loops end by their signal's rejection. */
async function untilAborted(signal: AbortSignal, loop: Promise<void>): Promise<void> {
  try {
    await loop;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

const mergeType = (config: RegistryConfig, d: ResourceDefinition): MergeMap =>
  d.custom?.codec.mergeType ?? mergeTypeOf(config.schema, d.schemaName);

/** The same objects in another version that is served, for managedFields that were recorded in it. */
function otherVersion(
  config: RegistryConfig,
  definitions: readonly ResourceDefinition[],
  d: ResourceDefinition,
  apiVersion: string,
  conversions: KnownConversions,
): OtherVersion | undefined {
  const other = definitions.find((o) => o.storagePrefix === d.storagePrefix && o.kind === d.kind && apiVersionOf(o) === apiVersion);
  if (other === undefined) return undefined;
  return {
    type: mergeType(config, other),
    convert(tree) {
      if (other.custom?.webhook !== undefined) return conversions.get(other, tree);
      const stored: JsonObject = d.conversion === undefined ? tree : d.conversion.toStorage(structuredClone(tree));
      const converted = other.conversion === undefined ? stored : other.conversion.fromStorage(structuredClone(stored));
      return { ...converted, kind: other.kind, apiVersion };
    },
  };
}
