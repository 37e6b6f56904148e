import {
  EtcdInvalidAuthTokenError,
  GRPCInvalidArgumentError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnavailableError,
} from 'etcd3';
import { StoreUnavailableError, UnknownOutcomeError, ValueTooLargeError } from './contract.ts';

/** gRPC says this when a call never left this process, or etcd when it refused one before doing anything. */
const notDone = [
  'No connection established',
  'Name resolution failed',
  'ECONNREFUSED',
  'etcdserver: no leader',
  'etcdserver: too many requests',
  'etcdserver: not capable',
  'mvcc: database space exceeded',
];

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const isCompacted = (error: unknown): boolean =>
  error instanceof GRPCOutOfRangeError && error.message.includes('required revision has been compacted');
export const isFuture = (error: unknown): boolean =>
  error instanceof GRPCOutOfRangeError && error.message.includes('required revision is a future revision');

/** A write that certainly did not happen; it may be sent again. */
export const isNotDone = (error: unknown): boolean => notDone.some((text) => textOf(error).includes(text));

/** A read is worth another try: the connection was cut or the member is in trouble. */
export const isWorthRetry = (error: unknown): boolean =>
  error instanceof GRPCUnavailableError || error instanceof EtcdInvalidAuthTokenError || isNotDone(error);

export const readError = (error: unknown): Error => new StoreUnavailableError(error);

export function writeError(error: unknown, valueBytes: number): Error {
  const text = textOf(error);
  const tooLarge =
    (error instanceof GRPCInvalidArgumentError && text.includes('request is too large')) ||
    (error instanceof GRPCResourceExhastedError && text.includes('larger than max'));
  if (tooLarge) return new ValueTooLargeError(valueBytes);
  return isNotDone(error) ? new StoreUnavailableError(error) : new UnknownOutcomeError(error);
}
