import type { MessagePort } from 'node:worker_threads';
import { WebhookError, type WebhookTarget, type WebhookTransport } from '../admission/webhook/client.ts';

/** What the thread of heavy requests is started with. */
export interface ServerThreadData {
  readonly args: readonly string[];
  /** Webhooks are called by the thread at the other end, where the tunnels of nodes are. */
  readonly calls: MessagePort;
}

/** A call to make for the other thread. */
export interface WebhookCall {
  readonly id: number;
  readonly target: Omit<WebhookTarget, 'url'> & { readonly href: string };
  readonly text: Uint8Array;
  readonly timeoutMs: number;
}

export interface WebhookCallResult {
  readonly id: number;
  readonly answer?: Uint8Array;
  /** Instead of an answer: the message of a WebhookError. */
  readonly failure?: string;
}

/** The end of a thread that has calls made. Which of them are under way is bounded by the requests that the thread may have. */
export function sendThroughThread(port: Pick<MessagePort, 'postMessage' | 'on'>): Pick<WebhookTransport, 'send'> {
  const waiting = new Map<number, (result: WebhookCallResult) => void>();
  let nextId = 1;
  port.on('message', (result: WebhookCallResult) => {
    waiting.get(result.id)?.(result);
    waiting.delete(result.id);
  });
  return {
    send: ({ url, ...target }, text, { timeoutMs }) =>
      new Promise((resolve, reject) => {
        const id = nextId++;
        waiting.set(id, ({ answer, failure }) => {
          if (answer === undefined) reject(new WebhookError(failure ?? 'no answer'));
          else resolve(answer);
        });
        port.postMessage({ id, target: { ...target, href: url.href }, text, timeoutMs } satisfies WebhookCall);
      }),
  };
}

/** Makes a call that another thread asks for. Ends with `signal`, at the latest when that thread does. */
export async function makeCall(transport: WebhookTransport, call: WebhookCall, signal: AbortSignal): Promise<WebhookCallResult> {
  const { id, target, text, timeoutMs } = call;
  const { href, ...rest } = target;
  try {
    return { id, answer: await transport.send({ ...rest, url: new URL(href) }, text, { timeoutMs, signal }) };
  } catch (error) {
    return { id, failure: (error as Error).message };
  }
}
