import type { DrainRequest, DrainResponse, Frame, NodeMessage, ServerMessage } from '../messages.ts';
import { tunnelService } from '../messages.ts';
import { type Codec, drainRequest, drainResponse, frame, nodeMessage, serverMessage } from '../wire.ts';

/** A method as gRPC's client wants it. */
export interface TunnelMethod<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (message: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

const method = <Request, Response>(name: string, request: Codec<Request>, response: Codec<Response>): TunnelMethod<Request, Response> => ({
  path: `${tunnelService}${name}`,
  requestSerialize: (message) => request.encode(message),
  responseDeserialize: (bytes) => response.decode(bytes),
});

/** The service of `proto/skiff/tunnel/v1/tunnel.proto`, without reading it: a parser of protobuf would take megabytes of every node. */
export const tunnelMethods = {
  open: method<NodeMessage, ServerMessage>('Open', nodeMessage, serverMessage),
  connect: method<Frame, Frame>('Connect', frame, frame),
  drain: method<DrainRequest, DrainResponse>('Drain', drainRequest, drainResponse),
};
