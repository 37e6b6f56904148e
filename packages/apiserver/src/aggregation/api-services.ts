import { apiService, type APIService } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { ObjectAccess } from '../contract.ts';
import { type Priority, registrationGroup } from './priorities.ts';

/** A group version that another apiserver serves, behind a Service. */
export interface Extension {
  /** Of its APIService. */
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
  /** Base64 of PEM; undefined: the system's authorities. */
  readonly caBundle: string | undefined;
  readonly insecure: boolean;
  /** As the condition Available says. */
  readonly available: boolean;
}

/** The APIServices as they are now, by what they say. */
export interface ApiServices {
  /** Who serves this group version; undefined: this server, or nobody. */
  find(group: string, version: string): Extension | undefined;
  extensions(): readonly Extension[];
  /** What an APIService says about a group version, local ones included. */
  priorityOf(group: string, version: string): Priority | undefined;
  /** Another value after each change of any APIService. */
  readonly generation: object;
  subscribe(changed: (name: string) => void): Disposable;
}

export const isAvailable = (s: DeepReadonly<APIService>): boolean =>
  s.status?.conditions?.some((c) => c.type === 'Available' && c.status === 'True') ?? false;

/** undefined: it is local. */
export function extensionOf(s: DeepReadonly<APIService>): Extension | undefined {
  const { group = '', version = '', service, caBundle, insecureSkipTLSVerify } = s.spec ?? {};
  if (service === undefined || service === null || group === '' || group === registrationGroup) return undefined;
  return {
    name: s.metadata?.name ?? '',
    group,
    version,
    service: { namespace: service.namespace ?? '', name: service.name ?? '', port: service.port ?? 443 },
    caBundle: caBundle || undefined,
    insecure: insecureSkipTLSVerify === true,
    available: isAvailable(s),
  };
}

interface Known {
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly priorities: ReadonlyMap<string, Priority>;
}

/** Follows the APIServices through the cache; nothing is read before it is asked for. */
export function followApiServices(objects: ObjectAccess): ApiServices & Disposable {
  let known: Known | undefined;
  let generation = {};
  const listeners = new Set<(name: string) => void>();
  const changes = objects.subscribe<APIService>(apiService, ({ name }) => {
    known = undefined;
    generation = {};
    for (const listener of listeners) listener(name);
  });
  const current = (): Known => {
    if (known !== undefined) return known;
    const extensions = new Map<string, Extension>();
    const priorities = new Map<string, Priority>();
    for (const s of objects.list<APIService>(apiService)) {
      const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0 } = s.spec ?? {};
      priorities.set(`${group}/${version}`, { group: groupPriorityMinimum, version: versionPriority });
      const extension = extensionOf(s);
      if (extension !== undefined) extensions.set(`${group}/${version}`, extension);
    }
    known = { extensions, priorities };
    return known;
  };
  return {
    find: (group, version) => current().extensions.get(`${group}/${version}`),
    extensions: () => [...current().extensions.values()],
    priorityOf: (group, version) => current().priorities.get(`${group}/${version}`),
    get generation() {
      return generation;
    },
    subscribe: (changed) => {
      listeners.add(changed);
      return { [Symbol.dispose]: () => listeners.delete(changed) };
    },
    [Symbol.dispose]: () => changes[Symbol.dispose](),
  };
}
