import { badRequest, FieldErrors, invalid, StatusError, validateFieldManager } from '@skiff/apimachinery';

const metaGroup = 'meta.k8s.io';

/** metav1.ListOptions as the query says it, with upstream's defaults. Selectors are not parsed yet. */
export interface ListOptions {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  readonly timeoutSeconds: number | undefined;
  readonly limit: number;
  readonly continueToken: string;
  readonly sendInitialEvents: boolean | undefined;
}

/** Go's conversion of query values to bool: present counts as true, `false` and `0` do not. */
function boolOf(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name);
  return text === null ? undefined : !(text.toLowerCase() === 'false' || text === '0');
}

function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  const n = Number(text);
  if (!Number.isSafeInteger(n)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  return n;
}

/** `verb` decides the rules: list and deletecollection, or watch. Throws BadRequest and Invalid in upstream's words. */
export function parseListOptions(query: URLSearchParams, verb: 'list' | 'watch'): ListOptions {
  const resourceVersion = query.get('resourceVersion') ?? '';
  let resourceVersionMatch = query.get('resourceVersionMatch') ?? '';
  let sendInitialEvents = boolOf(query, 'sendInitialEvents');
  const watch = verb === 'watch';
  if (watch && sendInitialEvents === undefined && resourceVersionMatch === '' && (resourceVersion === '' || resourceVersion === '0')) {
    // Such a watch always began with the current objects; this says it in the newer terms.
    sendInitialEvents = true;
    resourceVersionMatch = 'NotOlderThan';
  }
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    watch,
    allowWatchBookmarks: boolOf(query, 'allowWatchBookmarks') ?? false,
    resourceVersion,
    resourceVersionMatch,
    timeoutSeconds: integerOf(query, 'timeoutSeconds'),
    limit: Math.max(0, integerOf(query, 'limit') ?? 0),
    continueToken: query.get('continue') ?? '',
    sendInitialEvents,
  };
  const errors = new FieldErrors();
  if (watch) validateWatch(options, errors);
  else validateList(options, errors);
  if (!errors.empty) throw invalid({ group: metaGroup, kind: 'ListOptions' }, '', errors.list);
  return options;
}

function validateList(o: ListOptions, errors: FieldErrors): void {
  const field = 'resourceVersionMatch';
  if (o.resourceVersionMatch !== '') {
    if (o.resourceVersion === '') errors.forbidden(field, 'resourceVersionMatch is forbidden unless resourceVersion is provided');
    if (o.continueToken !== '') errors.forbidden(field, 'resourceVersionMatch is forbidden when continue is provided');
    if (o.resourceVersionMatch !== 'Exact' && o.resourceVersionMatch !== 'NotOlderThan') {
      errors.notSupported(field, o.resourceVersionMatch, ['Exact', 'NotOlderThan', '']);
    }
    if (o.resourceVersionMatch === 'Exact' && o.resourceVersion === '0') {
      errors.forbidden(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    }
  }
  if (o.sendInitialEvents !== undefined) errors.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list');
}

function validateWatch(o: ListOptions, errors: FieldErrors): void {
  const field = 'resourceVersionMatch';
  const match = o.resourceVersionMatch;
  if (o.sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    errors.forbidden(field, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  if (match === '') return;
  if (o.sendInitialEvents === undefined)
    errors.forbidden(field, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  if (match !== 'NotOlderThan') errors.notSupported(field, match, ['NotOlderThan']);
  if (o.continueToken !== '') errors.forbidden(field, 'resourceVersionMatch is forbidden when continue is provided');
}

/** A resourceVersion of a query as a number, 0 for '' and '0'. Throws what upstream answers: 400 for lists, a bare 500 for get and watch. */
export function parseResourceVersion(text: string, verb: 'get' | 'list' | 'watch'): number {
  if (text === '') return 0;
  if (/^\d{1,20}$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  const why = /^\d+$/.test(text) ? 'value out of range' : 'invalid syntax';
  const message = `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`;
  throw verb === 'list' ? badRequest(`invalid resource version: ${message}`) : new StatusError('', message);
}

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** CreateOptions, UpdateOptions and PatchOptions: the same fields but for `force`. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  /** The client said how to validate. */
  readonly givenFieldValidation?: FieldValidation;
  readonly force: boolean | undefined;
}

/** `apply`: a PATCH with an apply content type. Throws Invalid in upstream's words. */
export function parseWriteOptions(
  query: URLSearchParams,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  apply = false,
): WriteOptions {
  const errors = new FieldErrors();
  const force = boolOf(query, 'force');
  const fieldManager = query.get('fieldManager') ?? '';
  if (kind === 'PatchOptions') {
    if (!apply && force !== undefined) errors.forbidden('force', 'may not be specified for non-apply patch');
    if (apply && fieldManager === '') errors.required('fieldManager', 'is required for apply patch');
  }
  validateFieldManager(fieldManager, 'fieldManager', errors);
  const dryRun = query.getAll('dryRun');
  if (dryRun.some((v) => v !== 'All')) errors.notSupported('dryRun', dryRun, ['All']);
  const fieldValidation = query.get('fieldValidation') ?? '';
  if (fieldValidation !== '' && !isFieldValidation(fieldValidation)) {
    errors.notSupported('fieldValidation', fieldValidation, ['', 'Ignore', 'Strict', 'Warn']);
  }
  if (!errors.empty) throw invalid({ group: metaGroup, kind }, '', errors.list);
  return {
    dryRun: dryRun.length > 0,
    fieldManager,
    fieldValidation: isFieldValidation(fieldValidation) ? fieldValidation : 'Warn',
    ...(isFieldValidation(fieldValidation) ? { givenFieldValidation: fieldValidation } : {}),
    force,
  };
}

const isFieldValidation = (text: string): text is FieldValidation => text === 'Ignore' || text === 'Warn' || text === 'Strict';

/** The manager that a write is recorded under: the client's choice, else its user agent up to the first slash, without unprintables. */
export function managerOf(o: Pick<WriteOptions, 'fieldManager'>, userAgent: string): string {
  if (o.fieldManager !== '') return o.fieldManager;
  const slash = userAgent.indexOf('/');
  const program = slash < 0 ? userAgent : userAgent.slice(0, slash);
  if (/^[ -~]{0,128}$/.test(program)) return program;
  let manager = '';
  let bytes = 0;
  for (const char of program) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char)) continue;
    bytes += Buffer.byteLength(char);
    if (bytes > 128) break;
    manager += char;
  }
  return manager;
}
