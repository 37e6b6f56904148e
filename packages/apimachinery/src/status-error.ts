/** Reason → HTTP code, as upstream's metav1.StatusReason. The one table. */
export const statusReasons = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServerTimeout: 500,
  NotImplemented: 501,
  ServiceUnavailable: 503,
  Timeout: 504,
  Unknown: 500,
} as const;
export type StatusReason = keyof typeof statusReasons;

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** meta.k8s.io/v1 Status as it goes over the wire. */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: { continue?: string; resourceVersion?: string; remainingItemCount?: number };
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

const brand = Symbol.for('skiff.StatusError');

/** The one error of the API. Branded, so that two copies of this package still recognise it. */
export class StatusError extends Error {
  readonly [brand] = true;
  readonly reason: StatusReason | '';
  readonly code: number;
  readonly details: StatusDetails | undefined;
  /** metadata of the Status: an expired list's fresh continue token. */
  readonly metadata: Status['metadata'];

  constructor(
    reason: StatusReason | '',
    message: string,
    o: { code?: number; details?: StatusDetails; cause?: unknown; metadata?: Status['metadata'] } = {},
  ) {
    super(message, o.cause === undefined ? undefined : { cause: o.cause });
    this.name = 'StatusError';
    this.reason = reason;
    this.code = o.code ?? (reason === '' ? 500 : statusReasons[reason]);
    this.details = o.details;
    this.metadata = o.metadata ?? {};
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.metadata,
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }

  static fromStatus(status: Partial<Status>): StatusError {
    const reason = status.reason !== undefined && status.reason in statusReasons ? (status.reason as StatusReason) : '';
    return new StatusError(reason, status.message ?? 'unknown error', {
      ...(status.code === undefined ? {} : { code: status.code }),
      ...(status.details === undefined ? {} : { details: status.details }),
      ...(status.metadata === undefined ? {} : { metadata: status.metadata }),
    });
  }
}

export const isStatusError = (e: unknown): e is StatusError => typeof e === 'object' && e !== null && brand in e;
export const hasReason = (e: unknown, reason: StatusReason): boolean => isStatusError(e) && e.reason === reason;

/** What an error is about: the group and the plural resource (or the kind, for Invalid). */
export interface ErrorSubject {
  group: string;
  resource: string;
}
const qualified = (s: ErrorSubject): string => (s.group === '' ? s.resource : `${s.resource}.${s.group}`);
const about = (s: ErrorSubject, name: string): StatusDetails => ({
  ...(name === '' ? {} : { name }),
  ...(s.group === '' ? {} : { group: s.group }),
  ...(s.resource === '' ? {} : { kind: s.resource }),
});

export const notFound = (s: ErrorSubject, name: string): StatusError =>
  new StatusError('NotFound', `${qualified(s)} "${name}" not found`, { details: about(s, name) });
export const alreadyExists = (s: ErrorSubject, name: string): StatusError =>
  new StatusError('AlreadyExists', `${qualified(s)} "${name}" already exists`, { details: about(s, name) });
export const conflict = (s: ErrorSubject, name: string, why: string): StatusError =>
  new StatusError('Conflict', `Operation cannot be fulfilled on ${qualified(s)} "${name}": ${why}`, { details: about(s, name) });
export const forbidden = (s: ErrorSubject, name: string, why: string): StatusError =>
  new StatusError(
    'Forbidden',
    s.resource === ''
      ? `forbidden: ${why}`
      : name === ''
        ? `${qualified(s)} is forbidden: ${why}`
        : `${qualified(s)} "${name}" is forbidden: ${why}`,
    { details: about(s, name) },
  );
export const badRequest = (message: string): StatusError => new StatusError('BadRequest', message);
export const internalError = (cause: unknown): StatusError =>
  new StatusError('InternalError', `Internal error occurred: ${cause instanceof Error ? cause.message : String(cause)}`, {
    details: { causes: [{ message: cause instanceof Error ? cause.message : String(cause) }] },
    cause,
  });
export const methodNotSupported = (s: ErrorSubject, action: string): StatusError =>
  new StatusError('MethodNotAllowed', `${action} is not supported on resources of kind "${qualified(s)}"`, { details: about(s, '') });
export const expired = (message: string): StatusError => new StatusError('Expired', message);
export const tooManyRequests = (message: string, retryAfterSeconds: number): StatusError =>
  new StatusError('TooManyRequests', message, { details: { retryAfterSeconds } });
export const unauthorized = (message = 'Unauthorized'): StatusError => new StatusError('Unauthorized', message);
export const serviceUnavailable = (message: string): StatusError => new StatusError('ServiceUnavailable', message);
