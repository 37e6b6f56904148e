import { eventColumns, eventRow } from '../../core/v1/event-table.ts';
import type { EventsV1Event } from '../../generated/types/events-v1.ts';
import { defineTable } from '../../table.ts';
import { toCoreEvent } from './core-event.ts';

export const eventsTable = defineTable<EventsV1Event>(eventColumns, (event, nowMs) => eventRow(toCoreEvent(event), nowMs));
