import { internalError, isStatusError, type JsonObject, StatusError } from '@skiff/apimachinery';
import type { ApiResponse, OutputFormat } from '../contract.ts';
import { protobufBodies, protobufMediaType } from './protobuf-body.ts';
import { yamlText } from './yaml-text.ts';

/** An answer made of one value; JSON ends in a newline as upstream's. */
export function objectResponse(
  code: number,
  value: unknown,
  output: Pick<OutputFormat, 'mediaType' | 'pretty'>,
  headers?: Readonly<Record<string, string>>,
): ApiResponse {
  const more = headers === undefined ? {} : { headers };
  if (output.mediaType === 'protobuf') {
    return { code, contentType: protobufMediaType, body: [protobufBodies.encodeObject(value as JsonObject)], ...more };
  }
  const yaml = output.mediaType === 'yaml';
  const text = yaml ? yamlText(value) : output.pretty ? JSON.stringify(value, undefined, 2) : `${JSON.stringify(value)}\n`;
  return {
    code,
    contentType: yaml ? 'application/yaml' : 'application/json',
    body: [Buffer.from(text)],
    ...more,
  };
}

export const textResponse = (code: number, text: string): ApiResponse => ({
  code,
  contentType: 'text/plain; charset=utf-8',
  body: [Buffer.from(text)],
  headers: { 'x-content-type-options': 'nosniff' },
});

/** What a path that nothing listens on answers. */
export const pageNotFound = (): ApiResponse => textResponse(404, '404 page not found\n');

/** The 404 of a resource, verb-independent, that no group version has. */
export const resourceNotServed = (): StatusError =>
  new StatusError('NotFound', 'the server could not find the requested resource', { details: {} });
export const methodNotServed = (): StatusError =>
  new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource', { details: {} });
export const requestTimeout = (): StatusError =>
  new StatusError('Timeout', 'Timeout: request did not complete within requested timeout - context deadline exceeded', { details: {} });

/** Any error as a Status. What is not a StatusError is an InternalError. */
export function errorResponse(error: unknown, output: Pick<OutputFormat, 'mediaType' | 'pretty'>): ApiResponse {
  const status = (isStatusError(error) ? error : internalError(error)).toStatus();
  const retryAfter = status.details?.retryAfterSeconds;
  // Upstream can't tell how the client likes its answers when it accepts none of them.
  const shown = status.code === 406 ? { mediaType: 'json' as const, pretty: true } : output;
  return objectResponse(status.code, status, shown, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
}

/** The value of a `Warning` header: code 299, no agent, the text quoted and on one line. */
export const warningHeader = (text: string): string => {
  const line = text.replace(/[\r\n\t]+/g, ' ').replace(/[\\"]/g, '\\$&');
  // Header values are bytes: what is beyond ASCII goes as its UTF-8, which node takes as latin1; control characters don't go at all.
  const bytes = Buffer.from(line, 'utf8').filter((byte) => byte >= 0x20 && byte !== 0x7f);
  return `299 - "${Buffer.from(bytes).toString('latin1')}"`;
};

const warningBytesLimit = 4096;
const warningLimitBytes = 256;

/** Warnings as header values: each once; long ones are cut when all together are over upstream's 4 KiB. */
export function warningHeaders(texts: readonly string[]): string[] {
  const unique = [...new Set(texts)];
  const total = unique.reduce((sum, t) => sum + t.length, 0);
  if (total <= warningBytesLimit) return unique.map(warningHeader);
  const out: string[] = [];
  let bytes = 0;
  for (const text of unique) {
    const short = text.slice(0, warningLimitBytes);
    bytes += short.length;
    if (bytes > warningBytesLimit) break;
    out.push(warningHeader(short));
  }
  return out;
}
