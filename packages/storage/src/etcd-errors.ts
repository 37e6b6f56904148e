import { StoreUnavailableError, UnknownOutcomeError, ValueTooLargeError } from './contract.ts';
import { EtcdCallError, grpcCode } from './etcd-rpc.ts';

/** etcd says these when it has refused a write before doing anything. */
const refusals = [
  'etcdserver: no leader',
  'etcdserver: too many requests',
  'etcdserver: not capable',
  'rpc not supported for learner',
  'mvcc: database space exceeded',
];

const says = (error: unknown, text: string): boolean => error instanceof Error && error.message.includes(text);

export const isCompacted = (error: unknown): boolean => says(error, 'required revision has been compacted');
export const isFuture = (error: unknown): boolean => says(error, 'required revision is a future revision');
export const isLeaseGone = (error: unknown): boolean => says(error, 'requested lease not found');

/** The member answers, but is cut off from the others, or does not take part yet: another one may do. */
export const isMemberUseless = (error: unknown): boolean =>
  (error instanceof EtcdCallError && error.code === grpcCode.deadlineExceeded) ||
  ['etcdserver: no leader', 'etcdserver: request timed out', 'rpc not supported for learner', 'etcdserver: server stopped'].some((text) =>
    says(error, text),
  );

/** A write that certainly did not happen; it may be sent again. */
export const isNotDone = (error: unknown): boolean =>
  (error instanceof EtcdCallError && (error.isNotSent || error.code === grpcCode.unauthenticated)) ||
  refusals.some((text) => says(error, text));

/** A read is worth another try: the connection was cut or the member is in trouble. */
export const isWorthRetry = (error: unknown): boolean =>
  isNotDone(error) || (error instanceof EtcdCallError && error.code === grpcCode.unavailable);

export const readError = (error: unknown): Error => new StoreUnavailableError(error);

export function writeError(error: unknown, valueBytes: number): Error {
  const code = error instanceof EtcdCallError ? error.code : undefined;
  const isTooLarge =
    (code === grpcCode.invalidArgument && says(error, 'request is too large')) ||
    (code === grpcCode.resourceExhausted && says(error, 'larger than max'));
  if (isTooLarge) return new ValueTooLargeError(valueBytes);
  return isNotDone(error) ? new StoreUnavailableError(error) : new UnknownOutcomeError(error);
}
