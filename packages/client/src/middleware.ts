import { readFile } from 'node:fs/promises';
import type { Clock, Logger } from '@skiff/component-base';
import type { ClientConfig } from './client-config.ts';
import { RequestError } from './contract.ts';
import type { Middleware } from './transport.ts';

const tokenFileMaxAgeMs = 60_000;

/** Adds the bearer token; one from a file is read again when it is a minute old, or after a 401. */
export function authorize(config: ClientConfig, clock: Clock): Middleware {
  let token = config.token;
  let readAtMs = Number.NEGATIVE_INFINITY;
  const currentToken = async (): Promise<string | undefined> => {
    if (config.tokenFile !== undefined && clock.monotonicMs() - readAtMs > tokenFileMaxAgeMs) {
      token = (await readFile(config.tokenFile, 'utf8')).trim();
      readAtMs = clock.monotonicMs();
    }
    return token;
  };
  return (next) => async (request) => {
    const bearer = await currentToken();
    const response = await next(
      bearer === undefined ? request : { ...request, headers: { ...request.headers, authorization: `Bearer ${bearer}` } },
    );
    if (response.code === 401) readAtMs = Number.NEGATIVE_INFINITY;
    return response;
  };
}

export function impersonate(config: ClientConfig): Middleware {
  const as = config.impersonate;
  if (as === undefined) return (next) => next;
  const headers: Record<string, string | readonly string[]> = { 'impersonate-user': as.user };
  if (as.uid !== undefined) headers['impersonate-uid'] = as.uid;
  if (as.groups !== undefined && as.groups.length > 0) headers['impersonate-group'] = as.groups;
  return (next) => (request) => next({ ...request, headers: { ...request.headers, ...headers } });
}

const connectionRetries = 3;
const connectionRetryMs = 50;

/** Sends again what got no answer, if it is a read or the server surely did not act on it. The first retry is immediate. */
export function retryUnanswered(clock: Clock): Middleware {
  return (next) => async (request) => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await next(request);
      } catch (error) {
        const repeatable = error instanceof RequestError && (!error.maybeProcessed || request.method === 'GET');
        if (!repeatable || attempt >= connectionRetries) throw error;
        if (attempt > 0) await clock.sleep(connectionRetryMs * 2 ** attempt, request.signal);
      }
    }
  };
}

const retryAfterRetries = 10;

/** Waits and sends again on 429, and on 5xx that says Retry-After, as client-go does: ten times at most. */
export function retryAfter(clock: Clock, log: Logger): Middleware {
  return (next) => async (request) => {
    for (let attempt = 0; ; attempt++) {
      const response = await next(request);
      const seconds = Number(response.headers['retry-after'] ?? 'NaN');
      const asked = (response.code === 429 || response.code >= 500) && Number.isFinite(seconds);
      if (!asked || attempt >= retryAfterRetries) return response;
      response.cancel();
      log.debug({ method: request.method, path: request.path, code: response.code, seconds }, 'told to come back later');
      await clock.sleep(seconds * 1000, request.signal);
    }
  };
}
