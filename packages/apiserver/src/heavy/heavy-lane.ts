import { serviceUnavailable, StatusError } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import type { WebhookTransport } from '../admission/webhook/client.ts';
import type { ApiRequest, ApiResponse, HeavyForms } from '../contract.ts';
import {
  type AnswerMessage,
  type FormAnswer,
  type FormQuestion,
  fromAnswerMessage,
  replayNotes,
  type RequestMessage,
  toRequestBody,
} from './messages.ts';
import { createThreadLink, type Thread, ThreadLostError } from './thread-link.ts';
import { makeCall, type WebhookCall, type WebhookCallResult } from './webhook-calls.ts';

/** Work that would hold up everyone on the shared event loop, done on other threads. */
export interface HeavyLane {
  /** An error of the endpoint is an answer like others. Throws TooManyRequests, and when the thread gives none. */
  serve(r: ApiRequest): Promise<ApiResponse>;
  /** What the view of a definition shows of a stored value. */
  formOf: HeavyForms;
  /** What carries the calls to webhooks that requests in the lane need: the tunnels of nodes end in this thread. */
  callWebhooksBy(transport: WebhookTransport): void;
  stop(): void;
}

export interface HeavyLaneDeps {
  /** A second server without a listener, which has its calls to webhooks made here. `signal` aborts when it ends. */
  startServer(makeCall: MakeCall): Thread<RequestMessage, AnswerMessage>;
  startFormMaker(): Thread<FormQuestion, FormAnswer>;
  readonly clock: Clock;
  readonly log: Logger;
}

export type MakeCall = (call: WebhookCall, signal: AbortSignal) => Promise<WebhookCallResult>;

const idleMs = 60_000;

/**
 * Requests go to a second server on a thread of its own, which shares nothing with this one but the store: several servers on one
 * store are the normal case. Forms have another thread, since the log waits for them.
 */
export function createHeavyLane(deps: HeavyLaneDeps): HeavyLane {
  const { clock, log } = deps;
  let webhooks: WebhookTransport | undefined;
  const makeCallHere: MakeCall = async (call, signal) => {
    if (webhooks === undefined) return { id: call.id, failure: 'the server is not ready' };
    // Who waits for webhooks is not stuck: their own timeouts end that.
    server.touch();
    const result = await makeCall(webhooks, call, signal);
    server.touch();
    return result;
  };
  const server = createThreadLink<RequestMessage, AnswerMessage>(
    { name: 'heavy-requests', maxQuestions: 50, idleMs, stallMs: 60_000 },
    { start: () => deps.startServer(makeCallHere), clock, log },
  );
  const formMaker = createThreadLink<FormQuestion, FormAnswer>(
    { name: 'heavy-forms', maxQuestions: 1000, idleMs, stallMs: 10_000 },
    { start: deps.startFormMaker, clock, log },
  );
  return {
    serve: async (r) => {
      let answer: AnswerMessage;
      try {
        answer = await server.ask({ request: toRequestBody(r), ...(r.audit === undefined ? {} : { audited: true }) });
      } catch (error) {
        throw error instanceof ThreadLostError ? unanswered(r) : error;
      }
      for (const warning of answer.warnings) r.warnings.push(warning);
      if (r.audit !== undefined && answer.audit !== undefined) replayNotes(answer.audit, r.audit);
      return fromAnswerMessage(answer);
    },
    formOf: async (definition, value, custom) => {
      try {
        const { form } = await formMaker.ask({ definition, value, ...(custom === undefined ? {} : { custom }) });
        if (form === undefined) return undefined;
        const { bytes } = form;
        return { ...form, bytes: bytes === undefined ? value : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
      } catch (error) {
        // Whoever needs it makes it, then.
        log.warn({ err: error, definition }, 'a form was not made on its thread');
        return undefined;
      }
    },
    callWebhooksBy: (transport) => {
      webhooks = transport;
    },
    stop: () => {
      server.stop();
      formMaker.stop();
    },
  };
}

/** A write may have happened. */
const unanswered = (r: ApiRequest): StatusError =>
  r.info.verb === 'get' || r.info.verb === 'list'
    ? serviceUnavailable('the request could not be served: it took too much time or memory')
    : new StatusError('Timeout', 'the request took too much time or memory; its outcome is unknown', { details: {} });
