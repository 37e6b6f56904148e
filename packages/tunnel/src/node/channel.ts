import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { type ClientDuplexStream, Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type FrameCarrier, TunnelConnection } from '../connection.ts';
import { type DrainRequest, type DrainResponse, dialIdHeader, type Frame, type NodeMessage, type ServerMessage } from '../messages.ts';
import { tunnelMethods } from './definition.ts';

export interface ChannelConfig {
  /** `host:port`, an IPv6 address in brackets. */
  readonly server: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name in the server's certificate, if not the host. */
  readonly serverName?: string;
  readonly insecure?: boolean;
  /** Between pings, and how long to wait for their answers. A dead peer is noticed after twice the time. */
  readonly pingMs?: number;
}

export interface ControlStream {
  send(message: NodeMessage): void;
  /** Ends it from this side; the server answers with its end. */
  end(): void;
  /** Ends it at once. */
  cancel(): void;
}

/** Why a stream is over, as gRPC puts it. */
export interface StreamEnd {
  readonly code: number;
  readonly message: string;
}

/** The node's end of a tunnel. One connection, which is not made again when it breaks. */
export interface TunnelChannel {
  /** Starts the control stream; `ended` is called once. */
  open(on: { message(m: ServerMessage): void; ended(end: StreamEnd): void }): ControlStream;
  /** Answers a Dial with a connection. */
  connect(dialId: string): TunnelConnection;
  /** Rejects when the server can't be asked or does not answer within `timeoutMs`. */
  drain(request: DrainRequest, timeoutMs: number): Promise<DrainResponse>;
  /** Takes no more streams; those that are open go on. */
  close(): void;
}

export { status as grpcStatus };

const defaultPingMs = 5_000;
/** A server that is held up is not dead yet. */
const defaultAnswerMs = 8_000;
const windowBytes = 1024 * 1024;
/** How long the peer may take to end a stream whose connection is over. */
const lingerMs = 30_000;

function credentialsOf(config: ChannelConfig, host: string): { credentials: ReturnType<typeof credentials.createSsl>; sni?: string } {
  const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
  const name = config.serverName ?? host;
  return {
    credentials: credentials.createSsl(pem(config.ca), pem(config.key), pem(config.cert), {
      rejectUnauthorized: config.insecure !== true,
      checkServerIdentity: (_asked: string, cert: PeerCertificate) => checkServerIdentity(name, cert),
    }),
    // An address is no name to send (RFC 6066).
    ...(isIP(name) === 0 ? { sni: name } : { sni: 'kubernetes' }),
  };
}

/** Makes the channel; the connection is made by the first stream. */
export function createTunnelChannel(config: ChannelConfig): TunnelChannel {
  const host = config.server.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  const { credentials: channelCredentials, sni } = credentialsOf(config, host);
  const client = new Client(`dns:///${config.server}`, channelCredentials, {
    ...(sni === undefined ? {} : { 'grpc.ssl_target_name_override': sni }),
    'grpc.keepalive_time_ms': config.pingMs ?? defaultPingMs,
    'grpc.keepalive_timeout_ms': config.pingMs ?? defaultAnswerMs,
    'grpc-node.flow_control_window': windowBytes,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
  });
  return {
    open: (on) => {
      const m = tunnelMethods.open;
      const call = client.makeBidiStreamRequest(m.path, m.requestSerialize, m.responseDeserialize);
      let over = false;
      const ended = (end: StreamEnd): void => {
        if (over) return;
        over = true;
        on.ended(end);
      };
      call.on('data', (message: ServerMessage) => on.message(message));
      call.on('error', (error: ServiceError) => ended({ code: error.code, message: error.details }));
      call.on('status', (s: { code: number; details: string }) => ended({ code: s.code, message: s.details }));
      return {
        send: (message) => {
          if (!over) call.write(message);
        },
        end: () => call.end(),
        cancel: () => call.cancel(),
      };
    },
    connect: (dialId) => {
      const m = tunnelMethods.connect;
      const metadata = new Metadata();
      metadata.set(dialIdHeader, dialId);
      return joinConnection(client.makeBidiStreamRequest(m.path, m.requestSerialize, m.responseDeserialize, metadata));
    },
    drain: (request, timeoutMs) =>
      new Promise((resolve, reject) => {
        const m = tunnelMethods.drain;
        const options = { deadline: Date.now() + timeoutMs };
        client.makeUnaryRequest(m.path, m.requestSerialize, m.responseDeserialize, request, new Metadata(), options, (error, answer) => {
          if (error !== null) reject(error);
          else if (answer === undefined) reject(new Error('no answer'));
          else resolve(answer);
        });
      }),
    close: () => client.close(),
  };
}

function joinConnection(call: ClientDuplexStream<Frame, Frame>): TunnelConnection {
  let over = false;
  const carrier: FrameCarrier = {
    send: (frame, sent) => {
      if (over) sent(new Error('the tunnel is gone'));
      else call.write(frame, sent);
    },
    pause: () => call.pause(),
    resume: () => call.resume(),
    finish: () => {
      if (over) return;
      call.end();
      const timer = setTimeout(() => call.cancel(), lingerMs);
      timer.unref();
      call.once('status', () => clearTimeout(timer));
    },
  };
  const connection = new TunnelConnection(carrier);
  call.on('data', (frame: Frame) => connection.receive(frame));
  // After a good status frames may still wait to be read.
  call.on('end', () => connection.carrierClosed());
  call.on('error', (error: ServiceError) => connection.carrierClosed(error.details));
  call.on('status', () => {
    over = true;
  });
  return connection;
}
