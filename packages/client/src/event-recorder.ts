import { randomUUID } from 'node:crypto';
import type { Event, ObjectReference } from '@skiff/api';
import { hasReason, isStatusError, type DeepReadonly, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import { aborted, type Clock, type Logger } from '@skiff/component-base';
import type { Client, EventRecorder } from './contract.ts';
import { RequestError } from './contract.ts';
import { createEventCorrelator, type CorrelatedEvent } from './event-correlator.ts';

const events: ResourceRef<Event> = { group: '', version: 'v1', kind: 'Event', plural: 'events', scope: 'Namespaced' };

/** client-go's numbers: what waits at most, and how long one Event is tried. */
const queueMax = 1000;
const triesMax = 12;
const retryMs = 10_000;

export interface EventRecorderConfig {
  readonly component: string;
  readonly host?: string;
}
export interface RunningEventRecorder extends EventRecorder {
  /** Sends until `signal` aborts. What is recorded before it runs waits. */
  run(signal: AbortSignal): Promise<void>;
}

const validName = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

/** Records core/v1 Events. When more than 1000 wait, further ones are dropped and counted in the log. */
export function createEventRecorder(
  config: EventRecorderConfig,
  deps: { client: Client; clock: Clock; log: Logger },
): RunningEventRecorder {
  const { client, clock, log } = deps;
  const correlator = createEventCorrelator(clock);
  const queue: Event[] = [];
  let wake = (): void => undefined;
  let dropped = 0;
  let lastNanos = 0n;

  const uniqueName = (subject: string): string => {
    if (!validName.test(subject)) return randomUUID();
    const nanos = BigInt(clock.now()) * 1_000_000n;
    lastNanos = nanos > lastNanos ? nanos : lastNanos + 1n;
    return `${subject}.${lastNanos.toString(16)}`;
  };

  const send = async (correlated: CorrelatedEvent, signal: AbortSignal): Promise<void> => {
    const { event } = correlated;
    const key = { namespace: event.metadata.namespace ?? 'default', name: event.metadata.name ?? '' };
    if (correlated.action === 'patch') {
      try {
        const body = { count: event.count, lastTimestamp: event.lastTimestamp, message: event.message };
        await client.patch(events, key, { type: 'strategic', body }, { signal });
        return;
      } catch (error) {
        // It has expired meanwhile: it comes again, with its count.
        if (!hasReason(error, 'NotFound')) throw error;
      }
    }
    await client.create(events, event, { signal });
  };

  const deliver = async (correlated: CorrelatedEvent, signal: AbortSignal): Promise<void> => {
    for (let tries = 1; ; tries++) {
      try {
        return await send(correlated, signal);
      } catch (error) {
        if (signal.aborted || hasReason(error, 'AlreadyExists')) return;
        // A namespace on its way out takes no Events any more.
        if (hasReason(error, 'Forbidden'))
          return log.debug({ err: error, reason: correlated.event.reason }, 'the server refused an Event; it is dropped');
        if (isStatusError(error))
          return log.warn({ err: error, reason: correlated.event.reason }, 'the server refused an Event; it is dropped');
        if (!(error instanceof RequestError) || tries >= triesMax)
          return log.error({ err: error, reason: correlated.event.reason }, 'an Event could not be sent; it is dropped');
        await clock.sleep(tries === 1 ? retryMs * Math.random() : retryMs, signal);
      }
    }
  };

  const referenceTo = (object: DeepReadonly<KubeObject>, fieldPath: string | undefined): ObjectReference => ({
    ...(object.kind === undefined ? {} : { kind: object.kind }),
    ...(object.apiVersion === undefined ? {} : { apiVersion: object.apiVersion }),
    ...(object.metadata?.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
    ...(object.metadata?.name === undefined ? {} : { name: object.metadata.name }),
    ...(object.metadata?.uid === undefined ? {} : { uid: object.metadata.uid }),
    ...(object.metadata?.resourceVersion === undefined ? {} : { resourceVersion: object.metadata.resourceVersion }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  });

  return {
    event: (object, type, reason, message, o) => {
      if (queue.length >= queueMax) {
        dropped += 1;
        return;
      }
      const involvedObject = referenceTo(object, o?.fieldPath);
      queue.push({
        metadata: {
          name: uniqueName(involvedObject.name ?? ''),
          namespace: involvedObject.namespace ?? 'default',
          ...(o?.annotations === undefined ? {} : { annotations: { ...o.annotations } }),
        },
        involvedObject,
        reason,
        message,
        type,
        source: { component: config.component, ...(config.host === undefined ? {} : { host: config.host }) },
        reportingComponent: config.component,
        ...(config.host === undefined ? {} : { reportingInstance: config.host }),
      });
      wake();
    },
    run: async (signal) => {
      const stopped = aborted(signal);
      while (!signal.aborted) {
        const event = queue.shift();
        if (event === undefined) {
          const more = new Promise<void>((resolve) => {
            wake = resolve;
          });
          await Promise.race([more, stopped]);
          continue;
        }
        if (dropped > 0) {
          log.warn({ dropped }, 'too many Events were waiting; some were dropped');
          dropped = 0;
        }
        const correlated = correlator.correlate(event);
        try {
          if (correlated !== undefined) await deliver(correlated, signal);
        } catch (error) {
          if (!signal.aborted) log.error({ err: error }, 'an Event could not be sent; it is dropped');
        }
      }
    },
  };
}
