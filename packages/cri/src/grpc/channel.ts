import { Client, type ClientReadableStream, credentials, Metadata } from '@grpc/grpc-js';
import { type CriMethod, type CriService, loadCriDefinition } from './definition.ts';
import { fromWireError, isChannelWornOut } from './wire-error.ts';

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Absent: the channel's. */
  readonly timeoutMs?: number | 'none';
  /** May be sent again on a new connection when the old one is worn out. */
  readonly repeatable?: boolean;
}

export interface CriChannel {
  /** Rejects with a RuntimeError, or with the signal's reason. */
  call<R>(service: CriService, method: string, request: object, o?: CallOptions): Promise<R>;
  /** As `call`, with the error as gRPC gave it. */
  stream(service: CriService, method: string, request: object): ClientReadableStream<object>;
  close(): void;
}

/** Two outputs of 16 MiB each fit in one answer. */
const maxMessageBytes = 64 * 1024 * 1024;

/** A connection to a CRI endpoint, made anew when it wears out. No I/O before the first call. */
export function createCriChannel(config: { readonly endpoint: string; readonly timeoutMs: number }): CriChannel {
  const definition = loadCriDefinition();
  let client: Client | undefined;
  const current = (): Client => {
    client ??= new Client(config.endpoint, credentials.createInsecure(), {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.max_send_message_length': maxMessageBytes,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2000,
      'grpc.default_authority': 'localhost',
    });
    return client;
  };
  const methodOf = (service: CriService, name: string): CriMethod => {
    const method = definition[service][name];
    if (method === undefined) throw new Error(`${service} has no call ${name}`);
    return method as CriMethod;
  };
  const once = <R>(used: Client, m: CriMethod, request: object, o: CallOptions): Promise<R> =>
    new Promise((resolve, reject) => {
      o.signal?.throwIfAborted();
      const timeoutMs = o.timeoutMs ?? config.timeoutMs;
      const options = timeoutMs === 'none' ? {} : { deadline: Date.now() + timeoutMs };
      const onAbort = (): void => call.cancel();
      const call = used.makeUnaryRequest(
        m.path,
        m.requestSerialize,
        m.responseDeserialize,
        request,
        new Metadata(),
        options,
        (error, answer) => {
          o.signal?.removeEventListener('abort', onAbort);
          if (error !== null) reject(o.signal?.aborted ? (o.signal.reason as Error) : error);
          else resolve(answer as R);
        },
      );
      o.signal?.addEventListener('abort', onAbort, { once: true });
    });

  return {
    call: async <R>(service: CriService, name: string, request: object, o: CallOptions = {}): Promise<R> => {
      const method = methodOf(service, name);
      for (let left = o.repeatable === true ? 1 : 0; ; left--) {
        const used = current();
        try {
          return await once<R>(used, method, request, o);
        } catch (error) {
          if (o.signal?.aborted) throw error;
          const worn = isChannelWornOut(error);
          if (worn && client === used) {
            // Calls that are under way end on it.
            used.close();
            client = undefined;
          }
          if (!worn || left <= 0) throw fromWireError(error, name);
        }
      }
    },
    stream: (service, name, request) => {
      const m = methodOf(service, name);
      return current().makeServerStreamRequest(m.path, m.requestSerialize, m.responseDeserialize, request);
    },
    close: () => {
      client?.close();
      client = undefined;
    },
  };
}
