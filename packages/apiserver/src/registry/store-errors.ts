import { type ErrorSubject, internalError, isStatusError, StatusError } from '@skiff/apimachinery';
import { StoreUnavailableError, UnknownOutcomeError, ValueTooLargeError } from '@skiff/storage';
import { UndecodableError } from '../storage/view.ts';

/** The API's error for what the store threw; anything else passes as it is. */
export function toApiError(error: unknown, subject: ErrorSubject, action: string): unknown {
  if (isStatusError(error)) return error;
  const details = { ...(subject.group === '' ? {} : { group: subject.group }), kind: subject.resource };
  // Nobody is told to come back: a client that does so by itself would do twice what may have happened.
  if (error instanceof UnknownOutcomeError) {
    return new StatusError('Timeout', `Timeout: the ${action} operation may or may not have been done: ${error.message}`, {
      details,
      cause: error,
    });
  }
  if (error instanceof StoreUnavailableError) {
    const qualified = subject.group === '' ? subject.resource : `${subject.resource}.${subject.group}`;
    return new StatusError(
      'ServerTimeout',
      `The ${action} operation against ${qualified} could not be completed at this time, please try again.`,
      {
        details: { ...details, retryAfterSeconds: 2 },
        cause: error,
      },
    );
  }
  if (error instanceof ValueTooLargeError) {
    return new StatusError('RequestEntityTooLarge', `Request entity too large: ${error.message}`, { cause: error });
  }
  if (error instanceof UndecodableError) return internalError(error);
  return error;
}
