import { defineResource, eventTtlSeconds } from '../../define-resource.ts';
import type { Event } from '../../generated/types/core-v1.ts';

export const event = defineResource<Event>({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  scope: 'Namespaced',
  shortNames: ['ev'],
  schemaName: 'io.k8s.api.core.v1.Event',
  storageVersionHash: 'r2yiGXH7wu8=',
  ttlSeconds: eventTtlSeconds,
});
