import { StatusError } from '@skiff/apimachinery';
import type { ApiResponse, OutputFormat } from '../contract.ts';
import { yamlText } from '../request/yaml-text.ts';

/** A JSON answer in the format that was negotiated. Only plain JSON is on the fast path; the others need the whole text. */
export function present(code: number, body: Iterable<Buffer>, output: OutputFormat, contentLength?: number): ApiResponse {
  if (output.mediaType === 'json' && !output.pretty) {
    return { code, contentType: 'application/json', body, ...(contentLength === undefined ? {} : { contentLength }) };
  }
  if (output.mediaType === 'protobuf') throw notAcceptable();
  const value: unknown = JSON.parse(Buffer.concat([...body]).toString('utf8'));
  const yaml = output.mediaType === 'yaml';
  const text = yaml ? yamlText(value) : JSON.stringify(value, undefined, 2);
  return { code, contentType: yaml ? 'application/yaml' : 'application/json', body: [Buffer.from(text)] };
}

export const notAcceptable = (): StatusError =>
  new StatusError('NotAcceptable', 'only the following media types are accepted: application/json, application/yaml');

export const presentValue = (code: number, value: unknown, output: OutputFormat): ApiResponse =>
  present(code, [Buffer.from(`${JSON.stringify(value)}\n`)], output);
