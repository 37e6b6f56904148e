import { defineResource, eventTtlSeconds } from '../../define-resource.ts';
import type { Event } from '../../generated/types/core-v1.ts';
import { eventTable } from './event-table.ts';
import { validateEvent, validateEventUpdate } from './validate-event.ts';

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
  strategy: {
    allowCreateOnUpdate: true,
    validate: (event, errors) => validateEvent(event, 'v1', errors),
    validateUpdate: (event, old, errors) => validateEventUpdate(event, old, 'v1', errors),
  },
  selectableFields: {
    'involvedObject.kind': (e) => e.involvedObject?.kind ?? '',
    'involvedObject.namespace': (e) => e.involvedObject?.namespace ?? '',
    'involvedObject.name': (e) => e.involvedObject?.name ?? '',
    'involvedObject.uid': (e) => e.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': (e) => e.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': (e) => e.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': (e) => e.involvedObject?.fieldPath ?? '',
    reason: (e) => e.reason ?? '',
    reportingComponent: (e) => e.reportingComponent ?? '',
    source: (e) => e.source?.component || (e.reportingComponent ?? ''),
    type: (e) => e.type ?? '',
  },
  table: eventTable,
});
