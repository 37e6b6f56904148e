import type { DeepReadonly, JsonObject } from '@skiff/apimachinery';
import type { Event } from '../../generated/types/core-v1.ts';
import type { EventsV1Event } from '../../generated/types/events-v1.ts';

/** Old name (core/v1, the form that is stored) → new name (events.k8s.io/v1), where they differ. */
const renamed = {
  involvedObject: 'regarding',
  message: 'note',
  source: 'deprecatedSource',
  firstTimestamp: 'deprecatedFirstTimestamp',
  lastTimestamp: 'deprecatedLastTimestamp',
  count: 'deprecatedCount',
  reportingComponent: 'reportingController',
} as const;

function rename(object: object, names: ReadonlyMap<string, string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [names.get(key) ?? key, value as unknown]));
}

const toNew = new Map<string, string>(Object.entries(renamed));
const toOld = new Map<string, string>([...toNew].map(([old, name]) => [name, old]));

/** The same Event as core/v1 has it. Parts are shared with the argument. */
export const toCoreEvent = (event: DeepReadonly<EventsV1Event>): Event =>
  ({ involvedObject: {}, ...rename(event, toOld), apiVersion: 'v1', metadata: event.metadata ?? {} }) as Event;

/** The same Event as events.k8s.io/v1 has it. Parts are shared with the argument. */
export const fromCoreEvent = (event: DeepReadonly<Event>): EventsV1Event =>
  ({ ...rename(event, toNew), apiVersion: 'events.k8s.io/v1', eventTime: event.eventTime ?? null }) as EventsV1Event;

/** Both groups serve the same objects; they are stored as core/v1. */
export const eventConversion = {
  toStorage: (event: JsonObject): JsonObject => toCoreEvent(event as unknown as EventsV1Event) as unknown as JsonObject,
  fromStorage: (stored: JsonObject): JsonObject => fromCoreEvent(stored as unknown as Event) as unknown as JsonObject,
};
