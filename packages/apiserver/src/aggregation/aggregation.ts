import { customResourceDefinition, type CustomResourceDefinition } from '@skiff/api';
import { childSignal, type Clock, type Logger, supervise } from '@skiff/component-base';
import type { ResourceRegistry } from '../contract.ts';
import type { DiscoverySources } from '../discovery/documents.ts';
import type { UnsentBytes } from '../server/unsent.ts';
import type { Dialer } from '../tunnel/dialer.ts';
import { metricsDocument } from '../metrics-api/metrics-api.ts';
import { followApiServices } from './api-services.ts';
import type { AvailabilityMetrics } from './availability-metrics.ts';
import { runAvailability } from './availability.ts';
import { createExtensionClient, type ProxyClientConfig } from './extension-client.ts';
import { createExtensionDocuments } from './extension-documents.ts';
import { createExtensionProxy, type ExtensionProxy } from './extension-proxy.ts';
import { runCustomRegistration } from './registration.ts';

/** Group versions of other apiservers as part of this one's API (APIService). */
export interface Aggregation {
  readonly proxy: ExtensionProxy;
  readonly sources: DiscoverySources & { readonly generation: object };
  /** Keeps APIServices' conditions, those of custom kinds, and what is known of other servers' documents, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  close(): void;
}

export function createAggregation(
  config: ProxyClientConfig,
  deps: { registry: ResourceRegistry; dialer: Dialer; unsent: UnsentBytes; metrics: AvailabilityMetrics; clock: Clock; log: Logger },
): Aggregation {
  const { registry, clock, log } = deps;
  const { objects } = registry;
  const services = followApiServices(objects);
  const client = createExtensionClient(config, { dialer: deps.dialer, objects: () => objects });
  const documents = createExtensionDocuments({ services, client, clock, log });
  let seen: readonly object[] = [];
  let generation = {};
  /** What CustomResourceDefinitions bring is served one turn of microtasks after their change. */
  const servedChanged = (changed: () => void): Disposable =>
    objects.subscribe<CustomResourceDefinition>(customResourceDefinition, () => void setImmediate(changed));

  return {
    proxy: createExtensionProxy({ services, client, unsent: deps.unsent }),
    sources: {
      priorityOf: services.priorityOf,
      extensions: () => {
        const others = documents.versions();
        const replaced = others.some((v) => v.group === metricsDocument.group && v.version === metricsDocument.version);
        return replaced ? others : [...others, metricsDocument];
      },
      get generation() {
        if (seen[0] !== services.generation || seen[1] !== documents.generation) {
          seen = [services.generation, documents.generation];
          generation = {};
        }
        return generation;
      },
    },
    run: async (signal) => {
      using scope = childSignal(signal);
      const loop = (name: string, run: (s: AbortSignal) => Promise<void>): Promise<void> =>
        supervise(name, run, { signal: scope.signal, clock, log });
      await Promise.all([
        loop('apiservice-availability', (s) => runAvailability({ objects, services, client, metrics: deps.metrics, clock, log }, s)),
        loop('apiservice-documents', (s) => documents.run(s)),
        loop('apiservice-registration', (s) => runCustomRegistration({ registry, servedChanged, clock, log }, s)),
      ]);
    },
    close: () => {
      services[Symbol.dispose]();
      client.close();
    },
  };
}
