import { isIP } from 'node:net';
import { internalError, type JsonObject, parseYaml } from '@skiff/apimachinery';
import type { ApiResponse, RequestAudit, RequestInfo, UserInfo } from '../contract.ts';
import { protobufBodies, protobufMediaType } from '../request/protobuf-body.ts';
import { type Exchange, header, headerValues } from '../server/exchange.ts';
import { type AuditEvent, type EventFields, renderEvent, type ResponseStatus } from './event.ts';
import { type AuditRuling, type AuditStage, reaches } from './policy.ts';

const maxUserAgent = 1024;
/** Longer answers are not kept for the sake of their record; an annotation says so. */
const maxResponseBytes = 16 * 1024 * 1024;
const truncated = 'audit.k8s.io/truncated';

const plainAddress = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address);

/** Where a request says it comes from, and where it does: only the last can't be made up. */
export function sourceIps(x: Exchange): readonly string[] {
  const out = headerValues(x.request, 'x-forwarded-for')
    .flatMap((v) => v.split(','))
    .map((v) => v.trim())
    .filter((v) => isIP(v) !== 0);
  const real = header(x.request, 'x-real-ip').trim();
  if (isIP(real) !== 0 && !out.includes(real)) out.push(real);
  const remote = plainAddress(x.connection.remoteAddress);
  if (remote !== '' && out.at(-1) !== remote) out.push(remote);
  return out;
}

const agentOf = (x: Exchange): string => {
  const agent = header(x.request, 'user-agent');
  return agent.length > maxUserAgent ? `${agent.slice(0, maxUserAgent)}...TRUNCATED` : agent;
};

interface WithMetadata {
  metadata?: { managedFields?: unknown; name?: string; namespace?: string; uid?: string; resourceVersion?: string };
  items?: WithMetadata[];
  rows?: { object?: WithMetadata }[];
}

function dropManagedFields(tree: WithMetadata): void {
  delete tree.metadata?.managedFields;
  if (Array.isArray(tree.items)) for (const item of tree.items) delete item.metadata?.managedFields;
  if (Array.isArray(tree.rows)) for (const row of tree.rows) delete row.object?.metadata?.managedFields;
}

const isObject = (v: unknown): v is object => typeof v === 'object' && v !== null && !Array.isArray(v);

/** What becomes of one request in the audit log. Made when the policy wants it recorded. */
export class RequestRecord implements RequestAudit {
  readonly #ruling: AuditRuling;
  readonly #fields: EventFields;
  readonly #emit: (event: AuditEvent) => boolean | Promise<boolean>;
  readonly #now: () => number;
  readonly #rejected: () => void;
  #started = false;
  #done = false;

  constructor(
    ruling: AuditRuling,
    r: { x: Exchange; info: RequestInfo; user: UserInfo | undefined; auditId: string; receivedMs: number },
    deps: { emit: (event: AuditEvent) => boolean | Promise<boolean>; now: () => number; rejected: () => void },
  ) {
    this.#ruling = ruling;
    this.#emit = deps.emit;
    this.#now = deps.now;
    this.#rejected = deps.rejected;
    const { x, info } = r;
    this.#fields = {
      level: ruling.level,
      auditId: r.auditId,
      requestUri: x.request.url ?? '/',
      verb: info.verb,
      user: r.user,
      impersonatedUser: undefined,
      impersonationConstraint: undefined,
      sourceIps: sourceIps(x),
      userAgent: agentOf(x),
      objectRef: info.isResourceRequest
        ? {
            resource: info.resource,
            namespace: info.namespace,
            name: info.name,
            apiGroup: info.group,
            apiVersion: info.version,
            subresource: info.subresource,
          }
        : undefined,
      responseStatus: undefined,
      requestObject: undefined,
      responseObject: undefined,
      receivedMs: r.receivedMs,
      annotations: undefined,
    };
  }

  annotate(key: string, value: string): void {
    const annotations = (this.#fields.annotations ??= new Map());
    if (!annotations.has(key)) annotations.set(key, value);
  }

  impersonated(user: UserInfo, constraint?: string): void {
    this.#fields.impersonatedUser = user;
    this.#fields.impersonationConstraint = constraint;
  }

  get wantsRequestObject(): boolean {
    return reaches(this.#ruling.level, 'Request');
  }

  requestObject(object: object, json?: () => string): void {
    const { metadata } = object as WithMetadata;
    const ref = (this.#fields.objectRef ??= {});
    ref.namespace ||= metadata?.namespace ?? '';
    ref.name ||= metadata?.name ?? '';
    ref.uid ||= metadata?.uid ?? '';
    ref.resourceVersion ||= metadata?.resourceVersion ?? '';
    if (!this.wantsRequestObject) return;
    const text = json?.() ?? JSON.stringify(object);
    this.#fields.requestObject = this.#ruling.omitManagedFields && text.includes('"managedFields"') ? this.#cleaned(text) : text;
  }

  requestPatch(body: Buffer): void {
    if (!this.wantsRequestObject) return;
    const text = body.toString('utf8');
    try {
      this.#fields.requestObject = JSON.stringify(JSON.parse(text));
    } catch {
      try {
        this.#fields.requestObject = JSON.stringify(parseYaml(text).value);
      } catch {
        // Neither JSON nor YAML: the answer will say so, and there is no object to record.
        return;
      }
    }
  }

  /** An answer that is an error. */
  failed(status: ResponseStatus): void {
    const { status: word, message, reason, details, code } = status;
    this.#fields.responseStatus = { status: word, message, reason, details, code };
    if (reaches(this.#ruling.level, 'RequestResponse')) this.#fields.responseObject = JSON.stringify(status);
  }

  /** The answer, which passes through. `isApi`: its body is an object of the API. */
  answered(response: ApiResponse, isApi: boolean): ApiResponse {
    this.#fields.responseStatus = { code: response.code };
    const kind = mediaKind(response.contentType);
    if (!isApi || kind === undefined) return response;
    const keep = reaches(this.#ruling.level, 'RequestResponse');
    if (Array.isArray(response.body)) {
      const bytes = Buffer.concat(response.body as Buffer[]);
      if (keep || startsAsStatus(bytes)) this.#response(bytes, kind, keep);
      return { ...response, body: [bytes] };
    }
    return keep ? { ...response, body: this.#kept(response.body, kind) } : response;
  }

  *#kept(body: Iterable<Buffer>, kind: MediaKind): Generator<Buffer> {
    let pieces: Buffer[] | undefined = [];
    let bytes = 0;
    for (const piece of body) {
      bytes += piece.length;
      if (bytes > maxResponseBytes) pieces = undefined;
      pieces?.push(piece);
      yield piece;
    }
    if (pieces === undefined) this.annotate(truncated, 'true');
    else this.#response(Buffer.concat(pieces), kind, true);
  }

  #response(bytes: Buffer, kind: MediaKind, keep: boolean): void {
    const f = this.#fields;
    let text: string;
    let tree: unknown;
    try {
      if (kind === 'protobuf') tree = protobufBodies.decodeObject(bytes);
      else if (kind === 'yaml') tree = parseYaml(bytes.toString('utf8')).value;
      text = tree === undefined ? bytes.toString('utf8').trimEnd() : JSON.stringify(tree);
    } catch {
      this.annotate(truncated, 'true');
      return;
    }
    if (text.startsWith('{"kind":"Status"') || text.includes('\n')) {
      tree ??= JSON.parse(text);
      const status = tree as ResponseStatus & JsonObject;
      if (status['kind'] === 'Status') {
        const { status: word, message, reason, details } = status;
        f.responseStatus = { status: word, message, reason, details, code: f.responseStatus?.code };
      }
      text = JSON.stringify(tree);
    }
    if (!keep) return;
    f.responseObject = this.#ruling.omitManagedFields && text.includes('"managedFields"') ? this.#cleaned(text) : text;
  }

  #cleaned(text: string): string {
    const tree: unknown = JSON.parse(text);
    if (isObject(tree)) dropManagedFields(tree as WithMetadata);
    return JSON.stringify(tree);
  }

  /** The request goes on when this resolves. Throws InternalError when a back end that insists on the event did not get it. */
  received(): void | Promise<void> {
    const result = this.#stage('RequestReceived', this.#fields.receivedMs);
    if (typeof result === 'boolean') return this.#mustBe(result);
    return result.then((stored) => this.#mustBe(stored));
  }

  #mustBe(stored: boolean): void {
    if (stored) return;
    this.#rejected();
    this.#done = true;
    throw internalError('failed to store audit event');
  }

  /** The code of an answer that somebody else makes. */
  responseCode(code: number): void {
    this.#fields.responseStatus ??= { code };
  }

  /** The headers of a long-running request's answer are out. */
  responseStarted(code: number): void {
    if (this.#started) return;
    this.#started = true;
    const f = this.#fields;
    if (f.responseStatus === undefined) f.responseStatus = { code };
    void this.#stage('ResponseStarted', this.#now());
  }

  /** Nothing more will be sent. `longRunning`: there must have been a start. */
  responseComplete(longRunning: boolean): void | Promise<boolean> {
    if (this.#done) return;
    this.#done = true;
    const f = this.#fields;
    if (f.responseStatus === undefined) {
      f.responseStatus = { status: 'Success', message: 'Connection closed early', code: 200 };
      if (longRunning) this.responseStarted(200);
    } else if (longRunning) this.responseStarted(f.responseStatus.code ?? 200);
    const event = this.#stage('ResponseComplete', this.#now());
    return typeof event === 'boolean' ? undefined : event;
  }

  #stage(stage: AuditStage, atMs: number): boolean | Promise<boolean> {
    if (this.#ruling.omitStages.has(stage)) return true;
    return this.#emit(renderEvent(this.#fields, stage, atMs));
  }
}

type MediaKind = 'json' | 'yaml' | 'protobuf';

function mediaKind(contentType: string): MediaKind | undefined {
  if (contentType.startsWith('application/json')) return 'json';
  if (contentType.startsWith('application/yaml')) return 'yaml';
  return contentType.startsWith(protobufMediaType) ? 'protobuf' : undefined;
}

const statusHeads = ['{"kind":"Status"', '{\n  "kind": "Status"', 'kind: Status'].map((s) => Buffer.from(s));
const startsAsStatus = (bytes: Buffer): boolean =>
  statusHeads.some((head) => bytes.subarray(0, head.length).equals(head)) ||
  (bytes[0] === 0x6b && bytes.subarray(0, 24).includes('Status'));
