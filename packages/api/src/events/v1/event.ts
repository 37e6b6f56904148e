import { defineResource, eventTtlSeconds } from '../../define-resource.ts';
import type { EventsV1Event } from '../../generated/types/events-v1.ts';

export const eventsEvent = defineResource<EventsV1Event>({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  scope: 'Namespaced',
  shortNames: ['ev'],
  schemaName: 'io.k8s.api.events.v1.Event',
  storageVersion: { group: '', version: 'v1' },
  storageVersionHash: 'r2yiGXH7wu8=',
  ttlSeconds: eventTtlSeconds,
});
