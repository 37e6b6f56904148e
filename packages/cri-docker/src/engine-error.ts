import { isRuntimeError, RuntimeError, type RuntimeErrorKind } from '@skiff/cri';

interface EngineFailure {
  readonly statusCode?: number;
  readonly code?: string;
  readonly json?: unknown;
  readonly message?: string;
}

/** The engine's own words, without dockerode's decoration. */
export function engineMessage(error: unknown): string {
  const e = (error ?? {}) as EngineFailure;
  const json = e.json as { message?: unknown } | undefined | null;
  if (typeof json?.message === 'string') return json.message;
  const text = typeof e.message === 'string' ? e.message : String(error);
  return text.replace(/^\(HTTP code \d+\) [^-]* - /, '').trim();
}

export const engineStatusCode = (error: unknown): number | undefined => (error as EngineFailure | undefined)?.statusCode;

const kindOf = (error: unknown): RuntimeErrorKind => {
  const e = (error ?? {}) as EngineFailure & { name?: string };
  switch (e.statusCode) {
    case 404:
      return 'not-found';
    case 409:
      return 'conflict';
    case 400:
      return 'invalid';
    case undefined:
      return e.code === undefined ? 'internal' : e.code.startsWith('ABORT') ? 'timeout' : 'unavailable';
    default:
      return 'internal';
  }
};

/** The one place where the engine's answers become RuntimeErrors. */
export function asRuntimeError(error: unknown, kind?: RuntimeErrorKind): RuntimeError {
  if (isRuntimeError(error)) return error;
  const natural = kindOf(error);
  return new RuntimeError(natural === 'unavailable' ? natural : (kind ?? natural), engineMessage(error), { cause: error });
}

/** undefined instead of a throw when the object is gone. */
export async function unlessGone<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (engineStatusCode(error) === 404 || isRuntimeError(error, 'not-found')) return undefined;
    throw asRuntimeError(error);
  }
}
