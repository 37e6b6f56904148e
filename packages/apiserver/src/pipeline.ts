import { randomUUID } from 'node:crypto';
import { badRequest, internalError, isStatusError, type StatusError, tooManyRequests } from '@skiff/apimachinery';
import { type Clock, type Logger, parseDuration } from '@skiff/component-base';
import type { Audit } from './audit/audit.ts';
import type { RequestRecord } from './audit/request-audit.ts';
import type { ExtensionProxy } from './aggregation/extension-proxy.ts';
import { impersonate } from './authn/impersonation.ts';
import { attributesOf, type Authorizer, forbiddenError } from './authz/authorizer.ts';
import type { ConnectHandler } from './connect/connect-handler.ts';
import type { ApiResponse, Lifetime, OutputFormat, RequestInfo, ResourceRegistry, UserInfo } from './contract.ts';
import type { ConnectRequest } from './admission/connect.ts';
import { type callEndpoint, connectKey, findEndpoint, toApiRequest } from './dispatch.ts';
import { deprecationWarning } from './request/deprecations.ts';
import type { AskedSeats, FlowControl, Ticket } from './flow-control/flow-control.ts';
import type { RequestMetrics } from './metrics/request-metrics.ts';
import type { PathTable } from './paths.ts';
import { wantsPretty } from './request/negotiate.ts';
import { protobufMediaType } from './request/protobuf-body.ts';
import { decodePath, isLongRunning, parseRequestInfo } from './request/request-info.ts';
import { errorResponse, methodNotServed, pageNotFound, requestTimeout, resourceNotServed, warningHeaders } from './request/responses.ts';
import { type Exchange, header, type HttpResponse } from './server/exchange.ts';
import { linkedSignal } from './server/linked-signal.ts';
import { RequestLifetime } from './server/request-lifetime.ts';
import { bodyBytes, destroyResponse, responseClosed, sendResponse } from './server/respond.ts';
import type { UnsentBytes } from './server/unsent.ts';
import { openWatchStream } from './server/watch-stream.ts';

export interface PipelineConfig {
  /** Requests that aren't long-running end after this; `?timeout=` may ask for less. */
  readonly requestTimeoutMs: number;
  readonly bodyLimitBytes: number;
}

export interface PipelineDeps {
  readonly authenticate: (x: Exchange) => Promise<UserInfo>;
  readonly authorizer: Authorizer;
  readonly flowControl: FlowControl;
  readonly registry: Pick<ResourceRegistry, 'lookup'>;
  /** Is there anything of this group and version? Below what isn't there, nothing speaks the API's language. */
  readonly servesVersion: (group: string, version: string) => boolean;
  readonly paths: PathTable;
  /** Group versions that other apiservers serve. */
  readonly extensions: ExtensionProxy;
  readonly connects: ReadonlyMap<string, ConnectHandler>;
  readonly call: typeof callEndpoint;
  /** Admission of what connects to a pod, service or node. Throws StatusError. */
  readonly admitConnect: (r: ConnectRequest, lifetime: Lifetime) => Promise<void>;
  readonly unsent: UnsentBytes;
  readonly metrics: RequestMetrics;
  /** Absent: nothing is recorded. */
  readonly audit?: Pick<Audit, 'begin'> | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** False until the caches are filled and the default roles are there: before that, all but health pages is told to come again. */
  readonly initialized: () => boolean;
  /** Aborts when the server stops: ends watches and streams, while short requests finish. */
  readonly stopping: AbortSignal;
}

interface Served {
  info: RequestInfo | undefined;
  user: UserInfo | undefined;
  code: number;
  /** Of the answer, where they are known. */
  bytes: number | undefined;
  /** Absent: nobody wants it recorded. */
  record: RequestRecord | undefined;
}

/**
 * The way of every request, in the order in which it happens. `serve` answers always and throws never: whatever is thrown on
 * the way becomes a Status.
 */
export function createPipeline(config: PipelineConfig, deps: PipelineDeps): (x: Exchange) => Promise<void> {
  return async function serve(x: Exchange): Promise<void> {
    const startedMs = deps.clock.monotonicMs();
    const served: Served = { info: undefined, user: undefined, code: 0, bytes: undefined, record: undefined };
    const warnings: string[] = [];
    const receivedMs = deps.audit === undefined ? 0 : deps.clock.now();
    const auditId = header(x.request, 'audit-id') || randomUUID();
    x.response.setHeader('audit-id', auditId);
    x.response.setHeader('cache-control', 'no-cache, private');

    const url = x.request.url ?? '/';
    const question = url.indexOf('?');
    const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
    const pretty = wantsPretty(query, header(x.request, 'user-agent'));

    const lifetime = new RequestLifetime();
    const onClose = (): void => lifetime.abort(new Error('the client closed the connection'));
    x.response.once('close', onClose);
    let ticket: Ticket | undefined;
    try {
      const info = parseRequestInfo(x.request.method ?? 'GET', decodePath(question < 0 ? url : url.slice(0, question)), query);
      served.info = info;
      if (!deps.initialized() && !servedWhileStarting.test(info.path)) throw notInitialized();

      const longRunning = isLongRunning(info);
      let timeoutMs = config.requestTimeoutMs;
      const caller = await identify(x, served, { auditId, receivedMs }, () => {
        if (!longRunning) timeoutMs = deadlineMs(query);
      });
      served.user = caller;
      delete x.request.headers.authorization;
      const record = deps.audit?.begin({ x, info, user: caller, auditId, receivedMs });
      if (record !== undefined) {
        served.record = record;
        await record.received();
      }

      const impersonation = await impersonate(x, attributesOf(caller, info), deps.authorizer);
      const user = impersonation?.user ?? caller;
      served.user = user;
      if (impersonation !== undefined) record?.impersonated(user, impersonation.constraint);

      if (!longRunning || info.verb === 'watch') {
        const entered = enter(x, { info, user, lifetime, waitMs: Math.min(timeoutMs / 4, maxWaitMs), query });
        ticket = entered instanceof Promise ? await entered : entered;
      }

      const attributes = attributesOf(user, info);
      const decided = deps.authorizer.authorize(attributes);
      const verdict = decided instanceof Promise ? await decided : decided;
      record?.annotate('authorization.k8s.io/decision', verdict.decision === 'allow' ? 'allow' : 'forbid');
      record?.annotate('authorization.k8s.io/reason', verdict.reason);
      if (verdict.decision !== 'allow') {
        x.response.setHeader('x-content-type-options', 'nosniff');
        throw forbiddenError(attributes, verdict.reason);
      }

      const work = dispatch(x, { info, user, query, pretty, warnings, served, lifetime, ticket });
      const response = longRunning ? await work : await beforeDeadline(work, timeoutMs, lifetime);
      const paused = response === undefined ? undefined : ticket?.pause();
      if (paused !== undefined) await paused;
      if (response !== undefined)
        await answer(x, response, { warnings, compressible: info.verb === 'get' || info.verb === 'list', served });
    } catch (error) {
      await fail(x, error, { pretty, warnings, served });
    } finally {
      ticket?.close();
      x.response.off('close', onClose);
      if (served.record !== undefined) await complete(served.record, served);
      deps.metrics.observe({
        info: served.info,
        code: served.code,
        seconds: (deps.clock.monotonicMs() - startedMs) / 1000,
        dryRun: query.get('dryRun') ?? '',
        bytes: served.bytes,
      });
      deps.log.debug(
        { auditId, user: served.user?.name, verb: served.info?.verb, url, code: served.code, from: x.connection.remoteAddress },
        'request served',
      );
    }
  };

  /** Who it is. What is refused before that is known has a record too: the start of the answer that says so. */
  async function identify(
    x: Exchange,
    served: Served,
    r: { auditId: string; receivedMs: number },
    checkFirst: () => void,
  ): Promise<UserInfo> {
    try {
      checkFirst();
      return await deps.authenticate(x);
    } catch (error) {
      if (served.info !== undefined) served.record = deps.audit?.begin({ x, info: served.info, user: undefined, ...r });
      throw error;
    }
  }

  function complete(record: RequestRecord, { info, user }: Served): void | Promise<boolean> {
    if (user === undefined) return record.responseStarted(401);
    return record.responseComplete(info !== undefined && isLongRunning(info));
  }

  /** Seats for the request; how it was classified stands in the answer, whatever becomes of it. */
  function enter(x: Exchange, { info, user, ...asked }: { info: RequestInfo; user: UserInfo } & AskedSeats): Ticket | Promise<Ticket> {
    const flow = deps.flowControl.classify(user, info);
    if (flow.schemaUid !== '') x.response.setHeader('x-kubernetes-pf-flowschema-uid', flow.schemaUid);
    if (flow.levelUid !== '') x.response.setHeader('x-kubernetes-pf-prioritylevel-uid', flow.levelUid);
    return flow.enter(asked);
  }

  async function dispatch(
    x: Exchange,
    r: {
      info: RequestInfo;
      user: UserInfo;
      query: URLSearchParams;
      pretty: boolean;
      warnings: string[];
      served: Served;
      lifetime: RequestLifetime;
      ticket: Ticket | undefined;
    },
  ): Promise<ApiResponse | undefined> {
    const { info } = r;
    const extension = deps.extensions.find(info.path);
    if (extension !== undefined) {
      using streaming = linkedSignal(r.lifetime.signal, deps.stopping);
      const { record } = r.served;
      const begun = (code: number): void => (isLongRunning(info) ? record?.responseStarted(code) : record?.responseCode(code));
      await deps.extensions.serve(record === undefined ? x : onceStarted(x, begun), extension, {
        user: r.user,
        signal: streaming.signal,
        began: () => (info.verb === 'watch' ? r.ticket?.release() : undefined),
      });
      r.served.code = x.response.statusCode;
      return undefined;
    }
    if (!info.isResourceRequest) {
      const handle = deps.paths.find(info.path);
      if (handle === undefined) return pageNotFound();
      if (x.request.method !== 'GET' && x.request.method !== 'HEAD') throw methodNotServed();
      return (
        (await handle({
          path: info.path,
          query: r.query,
          request: x.request,
          pretty: r.pretty,
          user: r.user,
          signal: r.lifetime.signal,
        })) ?? pageNotFound()
      );
    }
    if (info.group !== '' && !deps.servesVersion(info.group, info.version)) return pageNotFound();
    const connect = deps.connects.get(connectKey(info));
    if (connect !== undefined) {
      const definition = deps.registry.lookup(info.group, info.version, info.resource, '')?.definition;
      if (definition === undefined || (definition.scope === 'Namespaced') !== (info.namespace !== '')) throw resourceNotServed();
      if (!connect.methods.includes(x.request.method ?? '')) throw methodNotServed();
      using streaming = linkedSignal(r.lifetime.signal, deps.stopping);
      const { record: audit } = r.served;
      await deps.admitConnect({ info, definition, user: r.user, query: r.query, warnings: r.warnings, audit }, streaming);
      writeWarnings(x, r.warnings);
      await connect.connect({
        exchange: audit === undefined ? x : onceStarted(x, (code) => audit.responseStarted(code)),
        info,
        user: r.user,
        query: r.query,
        definition,
        userAgent: header(x.request, 'user-agent'),
        pretty: r.pretty,
        signal: streaming.signal,
      });
      r.served.code = x.response.statusCode;
      return undefined;
    }
    const endpoint = findEndpoint(deps.registry, info);
    if (x.request.method === 'HEAD') throw methodNotServed();
    const deprecation = deprecationWarning(endpoint.definition);
    if (deprecation !== undefined) {
      r.warnings.push(deprecation);
      r.served.record?.annotate('k8s.io/deprecated', 'true');
    }
    if (info.verb !== 'watch') {
      const audit = r.served.record;
      const request = await toApiRequest(x, endpoint.definition, { ...r, audit, bodyLimitBytes: config.bodyLimitBytes });
      const paused = request.body.length === 0 ? undefined : r.ticket?.pause();
      if (paused !== undefined) await paused;
      return await deps.call(endpoint, request, unexpectedWatch);
    }
    using streaming = linkedSignal(r.lifetime.signal, deps.stopping);
    const request = await toApiRequest(x, endpoint.definition, { ...r, lifetime: streaming, bodyLimitBytes: config.bodyLimitBytes });
    await deps.call(endpoint, request, (contentType) => {
      writeWarnings(x, r.warnings);
      r.served.code = 200;
      r.served.record?.responseStarted(200);
      // A watch has begun.
      r.ticket?.release();
      deps.metrics.longRunningStarted(info);
      x.response.once('close', () => deps.metrics.longRunningEnded(info));
      return openWatchStream(x, contentType, deps.unsent);
    });
    return undefined;
  }

  function deadlineMs(query: URLSearchParams): number {
    const asked = query.get('timeout');
    if (asked === null || asked === '') return config.requestTimeoutMs;
    const ms = parseDuration(asked);
    if (ms === undefined)
      throw badRequest(`invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(asked)}`);
    return ms <= 0 ? config.requestTimeoutMs : Math.min(ms, config.requestTimeoutMs);
  }

  /** The work's result, or Timeout after `ms`; then the work, whose late result nobody awaits, is told by `lifetime`. */
  function beforeDeadline<T>(work: Promise<T>, ms: number, lifetime: RequestLifetime): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        const error = requestTimeout();
        reject(error);
        lifetime.abort(error);
      }, ms);
      timer.unref();
      work.then(
        (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        (error: unknown) => {
          clearTimeout(timer);
          reject(error as Error);
        },
      );
    });
  }

  async function answer(
    x: Exchange,
    response: ApiResponse,
    o: { warnings: readonly string[]; compressible: boolean; served: Served; isRecorded?: boolean },
  ): Promise<void> {
    writeWarnings(x, o.warnings);
    const { info, record } = o.served;
    o.served.code = response.code;
    o.served.bytes = bodyBytes(response);
    const sent =
      record === undefined || o.isRecorded === true ? response : record.answered(response, info !== undefined && answersObjects(info));
    await sendResponse(x, sent, { compressible: o.compressible, unsent: deps.unsent });
  }

  async function fail(x: Exchange, error: unknown, o: { pretty: boolean; warnings: readonly string[]; served: Served }): Promise<void> {
    if (!isStatusError(error) && !responseClosed(x.response)) deps.log.error({ err: error, url: x.request.url }, 'request failed');
    if (responseClosed(x.response)) return;
    if (x.response.headersSent) {
      destroyResponse(x.response);
      return;
    }
    try {
      const response = errorResponse(error, {
        mediaType: errorMediaType(header(x.request, 'accept')),
        pretty: o.pretty,
      });
      o.served.record?.failed((isStatusError(error) ? error : internalError(error)).toStatus());
      // What the client still sends is not read; on HTTP/1.1 the connection can't be used again then.
      if (!x.request.complete && x.request.httpVersionMajor === 1) x.response.setHeader('connection', 'close');
      await answer(x, response, { warnings: o.warnings, compressible: false, served: o.served, isRecorded: true });
    } catch (failure) {
      deps.log.error({ err: failure, url: x.request.url }, 'error answer could not be sent');
      destroyResponse(x.response);
    }
  }
}

/** Resources and discovery; not what only looks alike, as the OpenAPI documents. */
const answersObjects = (info: RequestInfo): boolean => info.isResourceRequest || /^\/apis?(?:\/|$)/.test(info.path);

/** The exchange, telling with which code its answer starts: 101 where the socket is taken over. */
function onceStarted(x: Exchange, started: (code: number) => void): Exchange {
  const { response, upgrade } = x;
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => HttpResponse;
  Object.assign(response, {
    writeHead: (...args: unknown[]) => {
      started(typeof args[0] === 'number' ? args[0] : response.statusCode);
      return writeHead(...args);
    },
  });
  if (upgrade === undefined) return x;
  return {
    ...x,
    upgrade: {
      takeOver: () => {
        started(101);
        return upgrade.takeOver();
      },
    },
  };
}

/** Errors come in what the client likes best, where that is one of the forms that every Status has. */
function errorMediaType(accept: string): OutputFormat['mediaType'] {
  if (accept === 'application/yaml') return 'yaml';
  return accept.startsWith(protobufMediaType) ? 'protobuf' : 'json';
}

function writeWarnings(x: Exchange, warnings: readonly string[]): void {
  if (warnings.length > 0) x.response.setHeader('warning', warningHeaders(warnings));
}

/** Nobody waits longer for seats, whatever time the request has. */
const maxWaitMs = 60_000;
const servedWhileStarting = /^\/(?:livez|readyz|healthz|version|metrics)(?:\/|$)/;
const notInitialized = (): StatusError => tooManyRequests("The apiserver hasn't been fully initialized yet, please try again later.", 1);

const unexpectedWatch = (): never => {
  throw new Error('a watch was opened by a verb that is none');
};
