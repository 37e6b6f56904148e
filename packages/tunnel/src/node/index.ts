export { type ChannelConfig, type ControlStream, createTunnelChannel, grpcStatus, type StreamEnd, type TunnelChannel } from './channel.ts';
