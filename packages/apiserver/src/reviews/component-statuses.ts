import { request } from 'node:http';
import { builtinSchemas, type ComponentStatus } from '@skiff/api';
import { notFound, type ResourceDefinition } from '@skiff/apimachinery';
import { describeDialFailure } from '@skiff/tunnel';
import type { Clock } from '@skiff/component-base';
import type { DurableStore } from '@skiff/storage';
import type { SubresourceHandler } from '../contract.ts';
import { presentEntry, presentList } from '../registry/read-endpoints.ts';
import { parseListOptions } from '../registry/request-options.ts';
import { createResourceCodec } from '../registry/resource-codec.ts';
import { parseSelection } from '../registry/selection.ts';
import { createStoredEntry, type StoredEntry } from '../storage/stored-entry.ts';
import { View } from '../storage/view.ts';

/** Where the processes beside this server say how they are, by their name. */
export type ComponentEndpoints = Readonly<Record<string, URL>>;

const timeoutMs = 5_000;
const maxAnswerBytes = 10 * 1024;

type Condition = NonNullable<ComponentStatus['conditions']>[number];

/** Asks a health page. Never throws: what goes wrong is the answer. */
function askHealth(url: URL, signal: AbortSignal): Promise<Condition> {
  return new Promise((resolve) => {
    const settle = (status: 'True' | 'False', message: string): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve({ type: 'Healthy', status, message });
    };
    const asked = request(url, { agent: false, headers: { 'user-agent': 'kube-probe' } }, (response) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      response.on('data', (piece: Buffer) => {
        if (bytes < maxAnswerBytes) pieces.push(piece);
        bytes += piece.length;
      });
      response.once('error', (error) => settle('False', error.message));
      response.once('end', () => {
        const text = Buffer.concat(pieces).toString('utf8').slice(0, maxAnswerBytes);
        const code = response.statusCode ?? 0;
        if (code >= 200 && code < 400) settle('True', text);
        else settle('False', `HTTP probe failed with statuscode: ${code}`);
      });
    });
    const onAbort = (): void => void asked.destroy(new Error('context canceled'));
    const timer = setTimeout(() => asked.destroy(new Error('context deadline exceeded')), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    asked.once('error', (error) =>
      settle('False', `Get "${url.href}": ${describeDialFailure(error, url.hostname, Number(url.port || 80))}`),
    );
    asked.end();
  });
}

/** The health of the store, of the scheduler and of the controller-manager, asked for when somebody reads them. Nothing is stored. */
export function createComponentStatuses(
  components: ComponentEndpoints,
  deps: { store: Pick<DurableStore, 'ping'>; clock: Clock },
): SubresourceHandler {
  const askStore = async (): Promise<Condition> => {
    try {
      await deps.store.ping();
      return { type: 'Healthy', status: 'True', message: 'ok' };
    } catch (error) {
      return { type: 'Healthy', status: 'False', error: (error as Error).message };
    }
  };
  const names = [...Object.keys(components), 'etcd-0'];
  const ask = (name: string, signal: AbortSignal): Promise<Condition> => {
    const url = components[name];
    return url === undefined ? askStore() : askHealth(url, signal);
  };
  return {
    group: '',
    version: 'v1',
    resource: 'componentstatuses',
    subresource: '',
    create: (definition: ResourceDefinition) => {
      const codec = createResourceCodec(builtinSchemas, definition);
      const view = new View(definition, 0, (value) => codec.serve(value));
      const entryOf = async (name: string, signal: AbortSignal): Promise<StoredEntry> => {
        const status: ComponentStatus = {
          kind: 'ComponentStatus',
          apiVersion: 'v1',
          metadata: { name },
          conditions: [await ask(name, signal)],
        };
        return createStoredEntry({ key: name, value: Buffer.from(JSON.stringify(status)), revision: 0 }, '', name);
      };
      const resource = { definition, view };
      return {
        definition,
        subresource: '',
        get: async (r) => {
          const { name } = r.info;
          if (!names.includes(name)) throw notFound({ group: '', resource: 'componentstatus' }, name);
          return await presentEntry(resource, await entryOf(name, r.signal), r, 200, deps.clock.now());
        },
        list: async (r) => {
          const { matches } = parseSelection(definition, { namespace: '', ...parseListOptions(r.query, 'list') });
          const all = await Promise.all(names.map((name) => entryOf(name, r.signal)));
          const entries = all.filter((entry) => matches === undefined || matches(view.formOf(entry)));
          return await presentList(resource, { entries, metadata: {} }, r, deps.clock.now());
        },
      };
    },
  };
}
