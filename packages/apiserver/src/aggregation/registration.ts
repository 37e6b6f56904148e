import { apiService, type APIService } from '@skiff/api';
import { hasReason, type ResourceDefinition } from '@skiff/apimachinery';
import { aborted, type Clock, type Logger } from '@skiff/component-base';
import { ensureObject } from '../bootstrap/ensure.ts';
import type { ObjectAccess, ResourceRegistry } from '../contract.ts';
import { priorityOf, registrationGroup } from './priorities.ts';

/** Who looks after an APIService: `onstart` what is built in, `true` what comes and goes with CustomResourceDefinitions. */
const retryMs = 1000;
const managedLabel = 'kube-aggregator.kubernetes.io/automanaged';

function localApiService(group: string, version: string, custom: boolean): APIService {
  const priority = priorityOf(group, version, custom);
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${version}.${group}`, labels: { [managedLabel]: custom ? 'true' : 'onstart' } },
    spec: {
      ...(group === '' ? {} : { group }),
      version,
      groupPriorityMinimum: priority.group,
      versionPriority: priority.version,
    },
  };
}

/** One for each group version among `definitions`, by name. */
function wantedOf(definitions: readonly ResourceDefinition[], custom: boolean): ReadonlyMap<string, APIService> {
  const wanted = new Map<string, APIService>();
  for (const { group, version, custom: structure } of definitions) {
    if ((structure !== undefined) !== custom || group === registrationGroup) continue;
    const name = `${version}.${group}`;
    if (!wanted.has(name)) wanted.set(name, localApiService(group, version, custom));
  }
  return wanted;
}

const sameSpec = (a: APIService['spec'], b: APIService['spec']): boolean =>
  (a?.group ?? '') === (b?.group ?? '') &&
  a?.version === b?.version &&
  a?.groupPriorityMinimum === b?.groupPriorityMinimum &&
  a?.versionPriority === b?.versionPriority &&
  !a?.service;

function adjustTo(wanted: APIService): (draft: APIService) => boolean {
  return (draft) => {
    const managed = draft.metadata?.labels?.[managedLabel];
    if (managed === undefined || sameSpec(draft.spec, wanted.spec) || wanted.spec === undefined) return false;
    draft.spec = structuredClone(wanted.spec);
    return true;
  };
}

/** APIServices of what is built in: made and mended when the server starts. Those that somebody else made stay as they are. */
export async function registerBuiltin(objects: ObjectAccess, definitions: readonly ResourceDefinition[]): Promise<void> {
  const wanted = [...wantedOf(definitions, false).values()];
  await Promise.all(wanted.map((w) => ensureObject<APIService>(objects, apiService, w, adjustTo(w))));
}

/**
 * APIServices of the group versions of CustomResourceDefinitions: they come and go with them. Every apiserver does it; the writes
 * come out the same. Runs until `signal` aborts.
 */
export async function runCustomRegistration(
  deps: {
    registry: Pick<ResourceRegistry, 'definitions' | 'objects'>;
    servedChanged: (changed: () => void) => Disposable;
    clock: Clock;
    log: Logger;
  },
  signal: AbortSignal,
): Promise<void> {
  const { registry, clock, log } = deps;
  const { objects } = registry;
  let dirty = false;
  let running = false;
  const remove = async (s: { name: string; uid: string | undefined }): Promise<void> => {
    try {
      await objects.delete(apiService, '', s.name, s.uid === undefined ? {} : { uid: s.uid });
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    }
  };
  const reconcile = async (): Promise<void> => {
    const wanted = wantedOf(registry.definitions(), true);
    for (const w of wanted.values()) await ensureObject<APIService>(objects, apiService, w, adjustTo(w));
    for (const { metadata } of objects.list<APIService>(apiService)) {
      const name = metadata?.name ?? '';
      if (metadata?.labels?.[managedLabel] === 'true' && !wanted.has(name)) await remove({ name, uid: metadata.uid });
    }
  };
  const run = async (): Promise<void> => {
    if (running) return;
    running = true;
    while (dirty && !signal.aborted) {
      dirty = false;
      try {
        await reconcile();
      } catch (error) {
        log.warn({ err: error }, 'the APIServices of custom kinds could not be brought up to date');
        dirty = true;
        await clock.sleep(retryMs, signal).catch(() => undefined);
      }
    }
    running = false;
  };
  const changed = (): void => {
    dirty = true;
    void run();
  };
  using _served = deps.servedChanged(changed);
  using _services = objects.subscribe<APIService>(apiService, (_, s) => {
    if (s === undefined || s.metadata?.labels?.[managedLabel] === 'true') changed();
  });
  changed();
  await aborted(signal);
}
