import type { Client as GrpcClient, MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

/** A plugin's answer that is an error. */
export class PluginError extends Error {
  /** gRPC's number. */
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Canceled, DeadlineExceeded, ResourceExhausted, Aborted, Unavailable: it may still be doing what it was asked. */
const undecidedCodes: ReadonlySet<number> = new Set([1, 4, 8, 10, 14]);
/** Whether the plugin has refused, and does nothing of what it was asked. */
export const isFinal = (error: unknown): boolean => error instanceof PluginError && !undecidedCodes.has(error.code);

export interface PluginChannel extends Disposable {
  call<Response>(method: string, request: object, o: { readonly timeoutMs: number; readonly signal?: AbortSignal }): Promise<Response>;
}

/** A connection to a plugin's socket, made with the first call. */
export async function openPluginChannel(socketPath: string, service: ServiceDefinition): Promise<PluginChannel> {
  const { Client, credentials } = await import('@grpc/grpc-js');
  const client: GrpcClient = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': 4 * 1024 * 1024,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.default_authority': 'localhost',
  });
  return {
    call: <Response>(name: string, request: object, o: { timeoutMs: number; signal?: AbortSignal }) =>
      new Promise<Response>((resolve, reject) => {
        const method = service[name] as MethodDefinition<object, object> | undefined;
        if (method === undefined) throw new Error(`the service has no method ${name}`);
        o.signal?.throwIfAborted();
        const call = client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          request,
          { deadline: Date.now() + o.timeoutMs },
          (error, answer) => {
            o.signal?.removeEventListener('abort', cancel);
            if (error === null) resolve(answer as Response);
            else reject(new PluginError(error.code, `rpc error: code = ${statusName(error.code)} desc = ${error.details}`));
          },
        );
        const cancel = (): void => call.cancel();
        o.signal?.addEventListener('abort', cancel, { once: true });
      }),
    [Symbol.dispose]: () => client.close(),
  };
}

/** As gRPC for Go writes them, which is what people search for. */
const names = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];
const statusName = (code: number): string => names[code] ?? `Code(${code})`;
