import type { ApiRequest, ApiResponse } from '../contract.ts';
import type { ServedForm } from '../storage/stored-entry.ts';

/** A request on its way to the other thread. */
export interface RequestMessage {
  readonly id: number;
  readonly request: Omit<ApiRequest, 'signal' | 'query' | 'body' | 'warnings'> & { readonly query: string; readonly body: Uint8Array };
}

/** Its answer. */
export interface AnswerMessage {
  readonly id: number;
  readonly warnings: readonly string[];
  /** Errors are answers, written out: a long list of causes is work too. */
  readonly response: Omit<ApiResponse, 'body' | 'contentLength'> & { readonly body: Uint8Array };
}

/** A stored value, and the definition (`group/version/plural`) whose view of it is wanted. */
export interface FormQuestion {
  readonly id: number;
  readonly definition: string;
  /** JSON of the CustomResourceDefinition, where the definition comes from one. */
  readonly custom?: string;
  readonly value: Uint8Array;
}

export interface FormAnswer {
  readonly id: number;
  /** Absent: the value can't be read. Without bytes: they are those of the value. */
  readonly form?: Omit<ServedForm, 'bytes'> & { readonly bytes?: Uint8Array };
}

export const toRequestBody = (r: ApiRequest): RequestMessage['request'] => ({
  info: r.info,
  user: r.user,
  query: r.query.toString(),
  body: r.body,
  contentType: r.contentType,
  output: r.output,
  userAgent: r.userAgent,
  ...(r.leader === undefined ? {} : { leader: r.leader }),
});

export function fromRequestMessage({ request }: RequestMessage, signal: AbortSignal): ApiRequest {
  const { body } = request;
  return {
    ...request,
    query: new URLSearchParams(request.query),
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    signal,
    warnings: [],
  };
}

export function toAnswerMessage(id: number, r: ApiRequest, { code, contentType, headers, body }: ApiResponse): AnswerMessage {
  const response = { code, contentType, ...(headers === undefined ? {} : { headers }), body: Buffer.concat([...body]) };
  return { id, warnings: r.warnings, response };
}

export function fromAnswerMessage({ response: { body, ...rest } }: AnswerMessage): ApiResponse {
  return { ...rest, body: [Buffer.from(body.buffer, body.byteOffset, body.byteLength)], contentLength: body.byteLength };
}
