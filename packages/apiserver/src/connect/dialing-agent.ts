import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { isIP } from 'node:net';
import type { Dialer, Route } from '../tunnel/dialer.ts';

/** Beside Node's own options. */
export interface DialingOptions extends ClientRequestArgs {
  readonly route: Route;
}

const handshakeMs = 10_000;

function startTls(socket: Duplex, route: Route, tls: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // The name that the certificate must have may be another than that by which it is reached.
    const name = tls.servername ?? route.host;
    const secured = connect({ ...tls, socket, host: name, servername: isIP(name) === 0 ? name : '' });
    const timer = setTimeout(() => secured.destroy(new Error('net/http: TLS handshake timeout')), handshakeMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    secured.once('error', fail);
    secured.once('secureConnect', () => {
      clearTimeout(timer);
      secured.off('error', fail);
      resolve(secured);
    });
  });
}

/** HTTP connections over whatever a dialer makes, with TLS in them if `tls` is given; idle ones are kept by route. */
export class DialingAgent extends Agent {
  readonly #dialer: Dialer;
  readonly #tls: ConnectionOptions | undefined;

  constructor(options: AgentOptions, deps: { dialer: Dialer; tls?: ConnectionOptions }) {
    super(options);
    this.#dialer = deps.dialer;
    this.#tls = deps.tls;
  }

  override getName(options?: ClientRequestArgs): string {
    const { node, target, host, port } = (options as DialingOptions).route;
    return `${host}|${port}|${node ?? ''}|${JSON.stringify(target)}`;
  }

  /** Node calls this for a request that finds no idle connection; `done` gets the connection or why there is none. */
  override createConnection(options: ClientRequestArgs, done: (error: Error | null, socket: Duplex) => void): undefined {
    const { route } = options as DialingOptions;
    const tls = this.#tls;
    const open = async (): Promise<Duplex> => {
      const socket = await this.#dialer.dial(route);
      return tls === undefined ? socket : await startTls(socket, route, tls);
    };
    open().then(
      (socket) => done(null, socket),
      (error: Error) => done(error, undefined as never),
    );
    return undefined;
  }
}
