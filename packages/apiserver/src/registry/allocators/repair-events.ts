import { isStatusError, type DeepReadonly, type KubeObject, type ResourceDefinition } from '@skiff/apimachinery';
import { formatTime, type Clock, type Logger } from '@skiff/component-base';
import type { ObjectAccess } from '../../contract.ts';

/** Says what was found or mended, as an Event on the object and in the log. */
export type RepairReport = (object: DeepReadonly<KubeObject>, o: { component: string; reason: string; message: string }) => Promise<void>;

interface Event extends KubeObject {
  readonly involvedObject: object;
  readonly reason: string;
  readonly message: string;
}

/** Events of the server's own repairs. Where Events can't be kept, the log is all there is. */
export function createRepairEvents(deps: {
  readonly definition: ResourceDefinition | undefined;
  readonly objects: ObjectAccess;
  readonly clock: Clock;
  readonly log: Logger;
}): RepairReport {
  const { definition, objects, clock, log } = deps;
  return async (object, { component, reason, message }) => {
    const { namespace, name = '', uid } = object.metadata ?? {};
    log.warn({ reason, namespace, name }, message);
    if (definition === undefined) return;
    const now = formatTime(clock.now());
    const event = {
      metadata: {
        name: `${name}.${BigInt(clock.now() * 1_000_000).toString(16)}${Math.floor(Math.random() * 4096).toString(16)}`,
        namespace: namespace ?? 'default',
      },
      involvedObject: {
        kind: namespace === undefined ? 'IPAddress' : 'Service',
        apiVersion: namespace === undefined ? 'networking.k8s.io/v1' : 'v1',
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
      },
      reason,
      message,
      type: 'Warning',
      source: { component },
      reportingComponent: component,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    try {
      await objects.create(definition as ResourceDefinition<Event>, event);
    } catch (error) {
      if (!isStatusError(error)) throw error;
      log.debug({ err: error, reason }, 'an Event could not be kept');
    }
  };
}
