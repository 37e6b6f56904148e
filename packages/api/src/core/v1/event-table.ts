import type { DeepReadonly, Json, TableColumn } from '@skiff/apimachinery';
import type { Event } from '../../generated/types/core-v1.ts';
import { defineTable, since, wide } from '../../table.ts';

export const eventColumns: readonly (string | TableColumn)[] = [
  'Last Seen',
  'Type',
  'Reason',
  'Object',
  wide('Subobject'),
  wide('Source'),
  'Message',
  wide('First Seen'),
  wide('Count'),
  { name: 'Name', type: 'string', format: 'name', priority: 1 },
];

export function eventRow(event: DeepReadonly<Event>, nowMs: number): readonly Json[] {
  const first = since(event.firstTimestamp || event.eventTime, nowMs);
  const last = event.series ? since(event.series.lastObservedTime, nowMs) : event.lastTimestamp ? since(event.lastTimestamp, nowMs) : first;
  const { kind, name, fieldPath } = event.involvedObject ?? {};
  const component = event.source?.component || event.reportingComponent || '';
  const instance = event.source?.host || event.reportingInstance || '';
  return [
    last,
    event.type ?? '',
    event.reason ?? '',
    name ? `${(kind ?? '').toLowerCase()}/${name}` : (kind ?? '').toLowerCase(),
    fieldPath ?? '',
    instance === '' ? component : `${component}, ${instance}`,
    (event.message ?? '').trim(),
    first,
    event.series ? (event.series.count ?? 0) : event.count || 1,
    event.metadata?.name ?? '',
  ];
}

export const eventTable = defineTable<Event>(eventColumns, eventRow);
