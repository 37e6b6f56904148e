import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { isRuntimeError, RuntimeError, type RuntimeErrorKind } from '../runtime-error.ts';

/** Trailing metadata with the exact kind, between two ends that both are Skiff. */
const kindKey = 'skiff-runtime-error-kind';

const codes: Readonly<Record<RuntimeErrorKind, status>> = {
  'not-found': status.NOT_FOUND,
  conflict: status.FAILED_PRECONDITION,
  'image-pull': status.UNKNOWN,
  'image-auth': status.UNAUTHENTICATED,
  'image-missing': status.NOT_FOUND,
  'registry-unavailable': status.UNAVAILABLE,
  invalid: status.INVALID_ARGUMENT,
  start: status.UNKNOWN,
  timeout: status.DEADLINE_EXCEEDED,
  unavailable: status.UNAVAILABLE,
  internal: status.INTERNAL,
};
const isKind = (text: string): text is RuntimeErrorKind => text in codes;

export interface WireError {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

export function toWireError(error: unknown): WireError {
  const metadata = new Metadata();
  const kind = isRuntimeError(error) ? error.kind : 'internal';
  metadata.set(kindKey, kind);
  return { code: codes[kind], details: error instanceof Error ? error.message : String(error), metadata };
}

export const isServiceError = (e: unknown): e is ServiceError => e instanceof Error && 'code' in e && 'details' in e && 'metadata' in e;

function kindOf(e: ServiceError, method: string): RuntimeErrorKind {
  const told = e.metadata.get(kindKey)[0]?.toString() ?? '';
  if (isKind(told)) return told;
  const pulls = method === 'PullImage';
  switch (e.code) {
    case status.NOT_FOUND:
      return pulls ? 'image-missing' : 'not-found';
    case status.ALREADY_EXISTS:
    case status.FAILED_PRECONDITION:
    case status.ABORTED:
      return 'conflict';
    case status.INVALID_ARGUMENT:
    case status.OUT_OF_RANGE:
    case status.UNIMPLEMENTED:
      return 'invalid';
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
      return pulls ? 'image-auth' : 'internal';
    case status.DEADLINE_EXCEEDED:
      return 'timeout';
    case status.UNAVAILABLE:
      return 'unavailable';
    default:
      return kindOfUnknown(e.details, method);
  }
}

/** containerd answers UNKNOWN for much; these are the texts that say what it was. */
function kindOfUnknown(details: string, method: string): RuntimeErrorKind {
  if (method === 'PullImage') {
    if (/RegistryUnavailable|dial tcp|no such host|i\/o timeout|connection refused/.test(details)) return 'registry-unavailable';
    if (/authorization failed|401 Unauthorized|403 Forbidden/.test(details)) return 'image-auth';
    return 'image-pull';
  }
  if (method === 'StartContainer') return 'start';
  if (method === 'RunPodSandbox') return /no runtime for .* is configured/.test(details) ? 'invalid' : 'start';
  return 'internal';
}

/** What a call of a remote runtime failed with, as the contract says it. */
export function fromWireError(error: unknown, method: string): RuntimeError {
  if (isRuntimeError(error)) return error;
  if (!isServiceError(error)) return new RuntimeError('internal', error instanceof Error ? error.message : String(error), { cause: error });
  const message = error.code === status.UNIMPLEMENTED ? `the runtime does not have the call ${method}` : error.details;
  return new RuntimeError(kindOf(error, method), message, { cause: error });
}

/**
 * A connection on which every further call fails with a reset (seen after some hundred thousand calls): only a new one helps.
 */
export const isChannelWornOut = (e: unknown): boolean =>
  isServiceError(e) && e.code === status.INTERNAL && e.metadata.get(kindKey).length === 0 && /RST_STREAM/.test(e.details);
export const isUnimplemented = (e: unknown): boolean => isServiceError(e) && e.code === status.UNIMPLEMENTED;
