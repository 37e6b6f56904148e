import { defineResource, eventTtlSeconds } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const eventsEvent = defineResource<KubeObject>({
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
