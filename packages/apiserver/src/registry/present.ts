import { type JsonObject, parseJson, StatusError } from '@skiff/apimachinery';
import type { ApiResponse, OutputFormat } from '../contract.ts';
import { protobufBodies, protobufMediaType } from '../request/protobuf-body.ts';
import { yamlText } from '../request/yaml-text.ts';

/** A JSON answer in the format that was negotiated. Only plain JSON is on the fast path; the others need the whole text. */
export function present(code: number, body: Iterable<Buffer>, output: OutputFormat, contentLength?: number): ApiResponse {
  if (output.mediaType === 'json' && !output.pretty) {
    return { code, contentType: 'application/json', body, ...(contentLength === undefined ? {} : { contentLength }) };
  }
  const text = Buffer.concat([...body]);
  if (output.mediaType === 'protobuf') return presentMessage(code, protobufBodies.encodeObject(parseJson(text).value as JsonObject));
  const value: unknown = JSON.parse(text.toString('utf8'));
  const yaml = output.mediaType === 'yaml';
  const shown = yaml ? yamlText(value) : JSON.stringify(value, undefined, 2);
  return { code, contentType: yaml ? 'application/yaml' : 'application/json', body: [Buffer.from(shown)] };
}

/** An answer whose body is protobuf already, envelope and all. */
export const presentMessage = (code: number, body: Buffer): ApiResponse => ({ code, contentType: protobufMediaType, body: [body] });

/** A watch in a form that has no frames. */
export function streamNotAcceptable(protobuf: boolean): StatusError {
  const accepted = ['application/json;stream=watch', ...(protobuf ? [`${protobufMediaType};stream=watch`] : [])];
  return new StatusError('NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`);
}

export const presentValue = (code: number, value: unknown, output: OutputFormat): ApiResponse =>
  present(code, [Buffer.from(`${JSON.stringify(value)}\n`)], output);
