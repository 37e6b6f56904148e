import type { JsonObject } from '@skiff/apimachinery';
import { aborted, type Clock, type Logger } from '@skiff/component-base';
import type { ApiServices, Extension } from './api-services.ts';
import { type ExtensionClient, userHeaders } from './extension-client.ts';

/** What an extension apiserver says about one of its group versions. */
export interface ExtensionVersion {
  readonly group: string;
  readonly version: string;
  /** Of apidiscovery.k8s.io/v2; absent when it has never been heard. */
  readonly resources: readonly JsonObject[] | undefined;
  /** False: the server gave no answer when it was last asked. */
  readonly fresh: boolean;
  /** Its document's address below /openapi/v3, with its hash, where the server has one. */
  readonly openApiV3: string | undefined;
  /** The part of its /openapi/v2 that is about this group version. */
  readonly openApiV2: { readonly paths: JsonObject; readonly definitions: JsonObject } | undefined;
}

/** Discovery and OpenAPI documents of extension apiservers, as they were last heard. */
export interface ExtensionDocuments {
  versions(): readonly ExtensionVersion[];
  /** Another value after each change. */
  readonly generation: object;
}

const refreshMs = 60_000;
const firstRetryMs = 500;
const callMs = 5000;
const maxBytes = 16 * 1024 * 1024;
const aggregator = { name: 'system:kube-aggregator', groups: ['system:masters'] };
const discoveryType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const discoveryTypes = `${discoveryType},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList`;

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const objectsOf = (value: unknown): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((v): v is string => typeof v === 'string') : []);

/** The resources of a group version out of an APIGroupDiscoveryList; undefined: it isn't there. */
function fromGroupList(list: JsonObject, e: Extension): readonly JsonObject[] | undefined {
  const group = objectsOf(list['items']).find((g) => isObject(g['metadata']) && text(g['metadata']['name']) === e.group);
  const version = objectsOf(group?.['versions']).find((v) => v['version'] === e.version);
  return version === undefined ? undefined : objectsOf(version['resources']);
}

/** The same out of an APIResourceList, whose subresources stand beside their resources. */
export function fromResourceList(list: JsonObject, e: Pick<Extension, 'group' | 'version'>): readonly JsonObject[] {
  const all = objectsOf(list['resources']);
  const kindOf = (r: JsonObject): JsonObject => ({
    group: text(r['group']) || e.group,
    version: text(r['version']) || e.version,
    kind: text(r['kind']),
  });
  const subresourcesOf = (name: string): JsonObject[] =>
    all
      .filter((r) => text(r['name']).startsWith(`${name}/`))
      .map((r) => ({ subresource: text(r['name']).slice(name.length + 1), responseKind: kindOf(r), verbs: texts(r['verbs']) }));
  return all
    .filter((r) => !text(r['name']).includes('/'))
    .map((r) => {
      const name = text(r['name']);
      const subresources = subresourcesOf(name);
      return {
        resource: name,
        responseKind: kindOf(r),
        scope: r['namespaced'] === true ? 'Namespaced' : 'Cluster',
        singularResource: text(r['singularName']),
        verbs: texts(r['verbs']),
        ...(texts(r['shortNames']).length === 0 ? {} : { shortNames: texts(r['shortNames']) }),
        ...(texts(r['categories']).length === 0 ? {} : { categories: texts(r['categories']) }),
        ...(subresources.length === 0 ? {} : { subresources }),
      };
    });
}

/** What of a v2 document is about a group version: its paths, and the models that these lead to. */
export function partOfV2(document: JsonObject, e: Pick<Extension, 'group' | 'version'>): ExtensionVersion['openApiV2'] {
  const prefix = `/apis/${e.group}/${e.version}/`;
  const all = isObject(document['paths']) ? document['paths'] : {};
  const models = isObject(document['definitions']) ? document['definitions'] : {};
  const paths = Object.fromEntries(Object.entries(all).filter(([path]) => path.startsWith(prefix)));
  const definitions: JsonObject = {};
  const queue: unknown[] = [paths];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    if (Array.isArray(at)) queue.push(...at.filter((v) => v !== null && v !== undefined));
    if (!isObject(at)) continue;
    const reference = text(at['$ref']);
    const name = reference.startsWith('#/definitions/') ? reference.slice('#/definitions/'.length) : '';
    const model = models[name];
    if (name !== '' && model !== undefined && !(name in definitions)) {
      definitions[name] = model;
      queue.push(model);
    }
    queue.push(...Object.values(at).filter((v) => v !== null && v !== undefined));
  }
  return { paths, definitions };
}

interface Task {
  known: ExtensionVersion;
  running: boolean;
  dirty: boolean;
  failures: number;
  timer: Disposable | undefined;
}

/** Asks the extension apiservers again when their APIService changes, and every minute. */
export function createExtensionDocuments(deps: {
  services: ApiServices;
  client: ExtensionClient;
  clock: Clock;
  log: Logger;
}): ExtensionDocuments & { run(signal: AbortSignal): Promise<void> } {
  const { services, client, clock, log } = deps;
  const tasks = new Map<string, Task>();
  let generation = {};

  const getJson = async (e: Extension, path: string, accept: string): Promise<{ value: JsonObject; type: string } | undefined> => {
    const headers = { accept, ...userHeaders(aggregator) };
    const answer = await client.ask(e, { path, headers, timeoutMs: callMs, maxBytes });
    if (answer.code === 404 || answer.code === 406) return undefined;
    if (answer.code !== 200) throw new Error(`${path} of ${e.service.namespace}/${e.service.name} answered with code ${answer.code}`);
    const value: unknown = JSON.parse(answer.body.toString('utf8'));
    return isObject(value) ? { value, type: answer.headers['content-type'] ?? '' } : undefined;
  };
  const resourcesOf = async (e: Extension): Promise<readonly JsonObject[]> => {
    const all = await getJson(e, '/apis', discoveryTypes);
    if (all?.type.includes('APIGroupDiscoveryList') === true) {
      const found = fromGroupList(all.value, e);
      if (found !== undefined) return found;
    }
    const list = await getJson(e, `/apis/${e.group}/${e.version}`, 'application/json');
    return list === undefined ? [] : fromResourceList(list.value, e);
  };
  const openApiOf = async (e: Extension): Promise<Pick<ExtensionVersion, 'openApiV2' | 'openApiV3'>> => {
    const [index, document] = await Promise.all([
      getJson(e, '/openapi/v3', 'application/json'),
      getJson(e, '/openapi/v2', 'application/json'),
    ]);
    const paths = index?.value['paths'];
    const entry = isObject(paths) ? paths[`apis/${e.group}/${e.version}`] : undefined;
    const url = isObject(entry) ? text(entry['serverRelativeURL']) : '';
    return {
      openApiV3: url.startsWith('/openapi/v3/') ? url : undefined,
      openApiV2: document === undefined ? undefined : partOfV2(document.value, e),
    };
  };

  const refresh = async (e: Extension, task: Task): Promise<boolean> => {
    let next: ExtensionVersion;
    let heard = false;
    try {
      const [resources, openApi] = await Promise.all([
        resourcesOf(e),
        openApiOf(e).catch((error: unknown) => {
          log.debug({ err: error, name: e.name }, 'no OpenAPI document of an extension');
          return { openApiV2: task.known.openApiV2, openApiV3: task.known.openApiV3 };
        }),
      ]);
      next = { group: e.group, version: e.version, resources, fresh: true, ...openApi };
      heard = true;
    } catch (error) {
      log.debug({ err: error, name: e.name }, 'no discovery document of an extension');
      next = { ...task.known, fresh: false };
    }
    if (JSON.stringify(next) !== JSON.stringify(task.known)) {
      task.known = next;
      generation = {};
    }
    return heard;
  };
  const work = async (name: string, task: Task, signal: AbortSignal): Promise<void> => {
    task.running = true;
    task.timer?.[Symbol.dispose]();
    let e: Extension | undefined;
    while (task.dirty && !signal.aborted) {
      task.dirty = false;
      e = services.extensions().find((x) => x.name === name);
      if (e === undefined) break;
      task.failures = (await refresh(e, task)) ? 0 : task.failures + 1;
    }
    task.running = false;
    if (signal.aborted) return;
    if (e === undefined) {
      tasks.delete(name);
      generation = {};
      return;
    }
    const waitMs = task.failures === 0 ? refreshMs : Math.min(firstRetryMs * 2 ** (task.failures - 1), refreshMs);
    task.timer = clock.after(waitMs, () => wake(name, signal));
  };
  const wake = (name: string, signal: AbortSignal): void => {
    if (signal.aborted) return;
    const e = services.extensions().find((x) => x.name === name);
    let task = tasks.get(name);
    if (task === undefined) {
      if (e === undefined) return;
      const known = { group: e.group, version: e.version, resources: undefined, fresh: false, openApiV2: undefined, openApiV3: undefined };
      task = { known, running: false, dirty: false, failures: 0, timer: undefined };
      tasks.set(name, task);
      generation = {};
    }
    task.dirty = true;
    if (!task.running) void work(name, task, signal);
  };

  return {
    versions: () => [...tasks.values()].map((t) => t.known),
    get generation() {
      return generation;
    },
    run: async (signal) => {
      const specs = new Map<string, string>();
      using _changes = services.subscribe((name) => {
        const spec = JSON.stringify(services.extensions().find((e) => e.name === name) ?? '');
        if (specs.get(name) === spec) return;
        specs.set(name, spec);
        wake(name, signal);
      });
      for (const e of services.extensions()) wake(e.name, signal);
      await aborted(signal);
      for (const task of tasks.values()) task.timer?.[Symbol.dispose]();
    },
  };
}
