import { lookupTable, type DeepReadonly, type FieldErrors, isDNS1123Subdomain } from '@skiff/apimachinery';
import type { Event } from '../../generated/types/core-v1.ts';
import { goValue } from '../../go-value.ts';
import { semanticEqual } from '../../semantic-equality.ts';
import { immutable, invalidEach, qualifiedName } from '../../validation.ts';

const maxCharacters = 128;
const maxNoteCharacters = 1024;

export type EventVersion = 'v1' | 'events.k8s.io/v1';

/** Required and not too long. Never with the text itself in the message. */
function shortText(text: string | undefined, path: string, errors: FieldErrors): void {
  if (!text) errors.required(path);
  else if (Buffer.byteLength(text) > maxCharacters) errors.invalid(path, '', `can have at most ${maxCharacters} characters`);
}

/** Rules of both groups. Fields have the names of core/v1 in messages, but for who reports. */
function validateAny(event: DeepReadonly<Event>, version: EventVersion, errors: FieldErrors): void {
  const namespace = event.metadata.namespace ?? '';
  const regarding = event.involvedObject.namespace ?? '';
  const mismatch = (): void => errors.invalid('involvedObject.namespace', regarding, 'does not match event.namespace');
  if (event.eventTime) {
    if (regarding === '' && namespace !== 'default' && namespace !== 'kube-system') mismatch();
    const path = version === 'v1' ? 'reportingComponent' : 'reportingController';
    const reporter = event.reportingComponent ?? '';
    if (reporter === '') errors.required(path);
    qualifiedName(errors, path, reporter);
    shortText(event.reportingInstance, 'reportingInstance', errors);
    shortText(event.action, 'action', errors);
    shortText(event.reason, 'reason', errors);
    if (Buffer.byteLength(event.message ?? '') > maxNoteCharacters) {
      errors.invalid('message', '', `can have at most ${maxNoteCharacters} characters`);
    }
  } else if (regarding === '' ? namespace !== '' && namespace !== 'default' : namespace !== regarding) mismatch();
  invalidEach(errors, 'namespace', namespace, isDNS1123Subdomain(namespace));
}

function validateSeries(event: DeepReadonly<Event>, errors: FieldErrors): void {
  if (event.series === undefined) return;
  if ((event.series.count ?? 0) < 2) errors.invalid('series.count', '', 'should be at least 2');
  if (!event.series.lastObservedTime) errors.required('series.lastObservedTime');
}

/** `event` in the form of core/v1; `version`: the one that the client wrote in. */
export function validateEvent(event: DeepReadonly<Event>, version: EventVersion, errors: FieldErrors): void {
  validateAny(event, version, errors);
  if (version === 'v1') return;
  validateSeries(event, errors);
  if (!event.eventTime) errors.required('eventTime');
  const type = event.type ?? '';
  if (type !== 'Normal' && type !== 'Warning') errors.invalid('type', '', `has invalid value: ${type}`);
  const unset = (path: string, isSet: boolean): void => {
    if (isSet) errors.invalid(path, '', 'needs to be unset');
  };
  unset('firstTimestamp', Boolean(event.firstTimestamp));
  unset('lastTimestamp', Boolean(event.lastTimestamp));
  unset('count', Boolean(event.count));
  unset('source', Boolean(event.source?.component) || Boolean(event.source?.host));
}

const structs = 'io.k8s.api.core.v1.';
const frozen = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
] as const;
const structOf = lookupTable<string>({
  involvedObject: `${structs}ObjectReference`,
  related: `${structs}ObjectReference`,
  source: `${structs}EventSource`,
});

/** The newer group lets only the series (and metadata) change. */
export function validateEventUpdate(
  event: DeepReadonly<Event>,
  old: DeepReadonly<Event>,
  version: EventVersion,
  errors: FieldErrors,
): void {
  validateAny(event, version, errors);
  if (version === 'v1') return;
  if (!semanticEqual(`${structs}EventSeries`, event.series, old.series) || !event.series !== !old.series) validateSeries(event, errors);
  for (const field of frozen) {
    const path = field === 'reportingComponent' ? 'reportingController' : field;
    const struct = structOf[field];
    const [now, before] = [event[field], old[field]];
    const absent = field === 'count' ? 0 : field.endsWith('Timestamp') || field === 'eventTime' ? null : '';
    if (struct === undefined) immutable(errors, path, now ?? absent, before ?? absent);
    else if (!semanticEqual(struct, now, before))
      errors.invalid(path, now === undefined && field === 'related' ? null : goValue(struct, (now ?? {}) as object), 'field is immutable');
  }
}
