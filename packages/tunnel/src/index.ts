export { type FrameCarrier, TunnelConnection } from './connection.ts';
export { DialError, describeDialFailure } from './dial-error.ts';
export { createMessageReader, FramingError, messagePrefix } from './grpc-framing.ts';
export * from './messages.ts';
export {
  type Codec,
  dataFrameHead,
  drainRequest,
  drainResponse,
  frame,
  nodeMessage,
  serverMessage,
  WireError,
} from './wire.ts';
