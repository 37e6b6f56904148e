/**
 * What went wrong below the CRI. The kubelet maps kinds to container reasons and events in one place; nothing matches texts.
 *
 * - `not-found`: the sandbox, container or image does not exist (any more).
 * - `conflict`: the object is not in a state that allows the call, or the name is taken.
 * - `image-pull`: the image could not be fetched; `image-auth`: the registry refused the credentials; `image-missing`: the
 *   registry does not know it; `registry-unavailable`: no answer from the registry.
 * - `invalid`: the configuration can't be carried out by this runtime (a value it refuses, a handler it lacks).
 * - `start`: the runtime accepted the container, but its process could not be started (missing binary, bad mount, …).
 * - `timeout`: the operation's own deadline passed. `unavailable`: the runtime can't be reached. `internal`: anything else.
 */
export type RuntimeErrorKind =
  | 'not-found'
  | 'conflict'
  | 'image-pull'
  | 'image-auth'
  | 'image-missing'
  | 'registry-unavailable'
  | 'invalid'
  | 'start'
  | 'timeout'
  | 'unavailable'
  | 'internal';

const brand = Symbol.for('skiff.RuntimeError');

export class RuntimeError extends Error {
  readonly [brand] = true;
  readonly kind: RuntimeErrorKind;
  constructor(kind: RuntimeErrorKind, message: string, o: { cause?: unknown } = {}) {
    super(message, o.cause === undefined ? undefined : { cause: o.cause });
    this.name = 'RuntimeError';
    this.kind = kind;
  }
}

export const isRuntimeError = (e: unknown, kind?: RuntimeErrorKind): e is RuntimeError =>
  typeof e === 'object' && e !== null && brand in e && (kind === undefined || (e as RuntimeError).kind === kind);
