import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { validateEvent, validateEventUpdate } from '../../core/v1/validate-event.ts';
import { defineResource, eventTtlSeconds } from '../../define-resource.ts';
import type { EventsV1Event } from '../../generated/types/events-v1.ts';
import { eventsTable } from './event-table.ts';
import { eventConversion, toCoreEvent } from './core-event.ts';

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
  strategy: {
    validateName: nameIsDNSSubdomain,
    allowCreateOnUpdate: true,
    validate: (event, errors) => validateEvent(toCoreEvent(event), 'events.k8s.io/v1', errors),
    validateUpdate: (event, old, errors) => validateEventUpdate(toCoreEvent(event), toCoreEvent(old), 'events.k8s.io/v1', errors),
  },
  selectableFields: {
    reason: (e) => e.reason ?? '',
    'regarding.kind': (e) => e.regarding?.kind ?? '',
    'regarding.namespace': (e) => e.regarding?.namespace ?? '',
    'regarding.name': (e) => e.regarding?.name ?? '',
    'regarding.uid': (e) => e.regarding?.uid ?? '',
    'regarding.apiVersion': (e) => e.regarding?.apiVersion ?? '',
    'regarding.resourceVersion': (e) => e.regarding?.resourceVersion ?? '',
    'regarding.fieldPath': (e) => e.regarding?.fieldPath ?? '',
    reportingController: (e) => e.reportingController ?? '',
    type: (e) => e.type ?? '',
  },
  table: eventsTable,
  conversion: eventConversion,
});
