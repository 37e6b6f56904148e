import http from 'node:http';
import type Docker from 'dockerode';
import { RuntimeError } from '@skiff/cri';

/** The engine takes a request, and nothing comes back. */
export const noAnswer = (what: string, deadlineMs: number): RuntimeError =>
  new RuntimeError('unavailable', `the engine did not answer within ${deadlineMs / 1000} s (${what})`);

/** `GET /containers/json`: without version, and without names that would make each message another one. */
export const describeRequest = (method: string | undefined, path: string | null | undefined): string =>
  `${method ?? 'GET'} ${(path ?? '/').replace(/^\/v\d[\d.]*/, '').replace(/\?.*$/, '')}`;

interface RequestContext {
  readonly statusCodes: Readonly<Record<string, unknown>>;
  readonly isStream?: boolean;
  readonly hijack?: boolean;
  readonly openStdin?: boolean;
}
type Callback = (error: unknown, value: unknown) => void;

/** docker-modem's two steps of a request, which its types don't tell. */
interface Modem {
  buildRequest(options: http.RequestOptions, context: RequestContext, data: unknown, callback: Callback): void;
  buildPayload(
    error: unknown,
    isStream: boolean | undefined,
    statusCodes: RequestContext['statusCodes'],
    openStdin: boolean,
    request: unknown,
    response: unknown,
    body: unknown,
    callback: Callback,
  ): void;
}

const readBody = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
};

/**
 * Makes a client whose plain requests always come to an end: with an answer, with an error when it is cut off in the middle (docker-modem
 * would wait for the rest for ever), or with an error after `deadlineMs`. What waits for a container has no deadline, and a connection of
 * its own: connections are few, and those who wait must not keep others from sending what they wait for.
 */
export function boundRequests(docker: Docker, deadlineMs: number): Docker {
  const modem = docker.modem as unknown as Modem;
  const original = modem.buildRequest.bind(modem);
  modem.buildRequest = (options, context, data, callback) => {
    if (
      context.isStream === true ||
      context.hijack === true ||
      context.openStdin === true ||
      (data !== undefined && typeof data !== 'string')
    )
      return original(options, context, data, callback);
    const path = options.path ?? '';
    const waits = /\/containers\/[^/]+\/wait(\?|$)/.test(path);
    let done = false;
    let timer: NodeJS.Timeout | undefined;
    const finish = (error: unknown, response: unknown, body: unknown): void => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      modem.buildPayload(error, false, context.statusCodes, false, request, response, body, callback);
    };
    const request = http.request({ ...options, ...(waits || path.endsWith('/_ping') ? { agent: false } : {}) });
    if (!waits) {
      timer = setTimeout(() => request.destroy(noAnswer(describeRequest(options.method, path), deadlineMs)), deadlineMs);
    }
    request.on('error', (error) => finish(error, {}, null));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => finish(null, response, readBody(Buffer.concat(chunks).toString())));
      response.on('error', (error) => finish(error, {}, null));
      response.on('close', () => finish(Object.assign(new Error('the engine cut its answer off'), { code: 'ECONNRESET' }), {}, null));
    });
    request.end(data);
  };
  return docker;
}
