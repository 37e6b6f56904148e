import { defineResource, eventTtlSeconds } from '../../define-resource.ts';
import type { KubeObject } from '@skiff/apimachinery';

export const event = defineResource<KubeObject>({
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
