import type { ApiRequest, ApiResponse, RequestAudit } from '../contract.ts';
import type { ServedForm } from '../storage/stored-entry.ts';

/** A request on its way to the other thread. */
export interface RequestMessage {
  readonly id: number;
  /** Notes for the audit are wanted. */
  readonly audited?: boolean;
  readonly request: Omit<ApiRequest, 'signal' | 'query' | 'body' | 'warnings' | 'audit'> & {
    readonly query: string;
    readonly body: Uint8Array;
  };
}

/** What an endpoint on the other thread told of a request. */
export interface AuditNotes {
  readonly annotations: [string, string][];
  object?: { readonly metadata: unknown; readonly json: string };
  patch?: Uint8Array;
}

/** Its answer. */
export interface AnswerMessage {
  readonly id: number;
  readonly warnings: readonly string[];
  readonly audit?: AuditNotes;
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

/** Takes notes for the thread that has the record. */
export function auditNotes(): { readonly notes: AuditNotes; readonly audit: RequestAudit } {
  const notes: AuditNotes = { annotations: [] };
  const audit: RequestAudit = {
    annotate: (key, value) => void notes.annotations.push([key, value]),
    requestObject: (object, json) => {
      notes.object = { metadata: (object as { metadata?: unknown }).metadata, json: json?.() ?? JSON.stringify(object) };
    },
    requestPatch: (body) => {
      notes.patch = body;
    },
  };
  return { notes, audit };
}

/** Tells the record what the other thread noted. */
export function replayNotes(notes: AuditNotes, audit: RequestAudit): void {
  for (const [key, value] of notes.annotations) audit.annotate(key, value);
  const { object, patch } = notes;
  if (object !== undefined) audit.requestObject({ metadata: object.metadata }, () => object.json);
  if (patch !== undefined) audit.requestPatch(Buffer.from(patch.buffer, patch.byteOffset, patch.byteLength));
}

export function fromRequestMessage({ request }: RequestMessage, signal: AbortSignal, audit: RequestAudit | undefined): ApiRequest {
  const { body } = request;
  return {
    ...request,
    audit,
    query: new URLSearchParams(request.query),
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    signal,
    warnings: [],
  };
}

export function toAnswerMessage(
  id: number,
  r: ApiRequest,
  { code, contentType, headers, body }: ApiResponse,
  audit: AuditNotes | undefined,
): AnswerMessage {
  const response = { code, contentType, ...(headers === undefined ? {} : { headers }), body: Buffer.concat([...body]) };
  return { id, warnings: r.warnings, ...(audit === undefined ? {} : { audit }), response };
}

export function fromAnswerMessage({ response: { body, ...rest } }: AnswerMessage): ApiResponse {
  return { ...rest, body: [Buffer.from(body.buffer, body.byteOffset, body.byteLength)], contentLength: body.byteLength };
}
