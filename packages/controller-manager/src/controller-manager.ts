import { createEventRecorder, createInformerFactory, runController, type Client, type ControllerMetrics } from '@skiff/client';
import { supervise, type Clock, type Logger } from '@skiff/component-base';
import type { ControllerManagerConfig } from './config.ts';
import type { ControllerDescriptor, RunContext } from './descriptor.ts';

export interface ControllerManagerDependencies {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: ControllerMetrics;
  /** Freezes cached objects; for tests. */
  readonly freeze?: boolean;
}
export interface ControllerManager {
  /** Runs the controllers until `signal` aborts and all have stopped. */
  run(signal: AbortSignal): Promise<void>;
  /** Whether every informer that was asked for has synced. */
  readonly ready: boolean;
}

/** The given controllers over one set of shared informers. */
export function createControllerManager(
  config: ControllerManagerConfig,
  table: readonly ControllerDescriptor[],
  deps: ControllerManagerDependencies,
): ControllerManager {
  let ready = false;

  const runOne = (descriptor: ControllerDescriptor, context: RunContext, signal: AbortSignal): Promise<void> =>
    supervise(
      descriptor.name,
      async (own) => {
        if (descriptor.run !== undefined) return await descriptor.run(context, own);
        const defined = descriptor.define?.(config) ?? [];
        const definitions = 'create' in defined ? [defined] : defined;
        await Promise.all(definitions.map((definition) => runController(definition, context, own)));
      },
      { signal, clock: context.clock, log: context.log },
    );

  return {
    get ready() {
      return ready;
    },
    run: async (signal) => {
      const informers = createInformerFactory(deps.freeze === true ? { freeze: true } : {}, deps);
      const running: Promise<void>[] = [];
      for (const descriptor of table) {
        const missing = descriptor.missing?.(config);
        if (missing !== undefined) {
          deps.log.warn({ controller: descriptor.name, missing }, 'controller is left out');
          continue;
        }
        const events = createEventRecorder({ component: descriptor.eventComponent ?? descriptor.name }, deps);
        const context: RunContext = { ...deps, config, informers, events };
        running.push(events.run(signal), runOne(descriptor, context, signal));
      }
      running.push(informers.run(signal));
      void informers.synced(signal).then(
        () => {
          ready = true;
        },
        // Stopped before it was ready.
        () => undefined,
      );
      await Promise.all(running);
    },
  };
}
