import {
  type AddressesDrained,
  dataFrameHead,
  DialError,
  type DialFailed,
  frame,
  type ServerMessage,
  serverMessage,
  TunnelConnection,
  type TunnelTarget,
} from '@skiff/tunnel';
import type { Exchange } from '../server/exchange.ts';
import { grpcStatus, ServerCall } from './server-call.ts';

export interface NodeTunnelConfig {
  readonly nodeName: string;
  /** Connections at once, those that are being made included. */
  readonly maxConnections: number;
}

/** An answer from the proxy of a node that was asked to drain. */
export type DrainAnswer = (answer: AddressesDrained | undefined) => void;

interface PendingDial {
  readonly timer: NodeJS.Timeout;
  settle(result: TunnelConnection | DialError): void;
}

let tunnels = 0;

/** The tunnel of one node, from Register to its end: what is asked for on the control stream, and the connections that came of it. */
export class NodeTunnel {
  readonly nodeName: string;
  readonly #maxConnections: number;
  readonly #control: ServerCall;
  readonly #id = (tunnels += 1);
  readonly #pending = new Map<string, PendingDial>();
  readonly #connections = new Set<TunnelConnection>();
  readonly #drains = new Map<string, DrainAnswer>();
  #asked = 0;

  constructor(config: NodeTunnelConfig, control: ServerCall) {
    this.nodeName = config.nodeName;
    this.#maxConnections = config.maxConnections;
    this.#control = control;
  }

  get open(): boolean {
    return this.#control.open;
  }
  get connections(): number {
    return this.#connections.size;
  }
  get session(): ServerCall['session'] {
    return this.#control.session;
  }

  send(message: ServerMessage): void {
    this.#control.write([serverMessage.encode(message)]);
  }

  /** Asks the node for a connection. Rejects with DialError. */
  dial(target: TunnelTarget, timeoutMs: number): Promise<TunnelConnection> {
    if (!this.open) return Promise.reject(this.#gone());
    if (this.#pending.size + this.#connections.size >= this.#maxConnections)
      return Promise.reject(new DialError('EXHAUSTED', `too many connections through the tunnel of node "${this.nodeName}"`));
    const id = this.#nextId();
    return new Promise((resolve, reject) => {
      const settle = (result: TunnelConnection | DialError): void => {
        clearTimeout(pending.timer);
        this.#pending.delete(id);
        if (result instanceof DialError) reject(result);
        else resolve(result);
      };
      const late = new DialError('UNAVAILABLE', `node "${this.nodeName}" did not connect within ${timeoutMs} ms`);
      const pending: PendingDial = { timer: setTimeout(() => settle(late), timeoutMs), settle };
      this.#pending.set(id, pending);
      this.send({ dial: { id, target, timeoutMs } });
    });
  }

  dialFailed(failure: DialFailed): void {
    this.#pending.get(failure.id)?.settle(new DialError(failure.reason, failure.message));
  }

  /** A Connect stream has come. False: nobody waits for it (any more). */
  accept(dialId: string, x: Exchange): boolean {
    const pending = this.#pending.get(dialId);
    if (pending === undefined) return false;
    const connection = carry(x, () => this.#connections.delete(connection));
    this.#connections.add(connection);
    pending.settle(connection);
    return true;
  }

  /**
   * `answer` is called up to twice, the last time with `finished` or, when the tunnel ends before, with undefined; not any more once the
   * caller, who waits no longer, has called what is returned.
   */
  drain(addresses: readonly string[], lingerMs: number, answer: DrainAnswer): () => void {
    const id = this.#nextId();
    const forget = (): void => void this.#drains.delete(id);
    if (!this.open) {
      answer(undefined);
      return forget;
    }
    this.#drains.set(id, answer);
    this.send({ drainAddresses: { id, addresses, lingerMs } });
    return forget;
  }

  addressesDrained(drained: AddressesDrained): void {
    const answer = this.#drains.get(drained.id);
    if (drained.finished) this.#drains.delete(drained.id);
    answer?.(drained);
  }

  /** Ends the control stream: nothing more is asked of it. Connections go on as long as the node keeps them. */
  end(code: number, message: string): void {
    this.#control.finish(code, message);
    this.ended();
  }

  /** The control stream is over. */
  ended(): void {
    for (const pending of this.#pending.values()) pending.settle(this.#gone());
    const drains = [...this.#drains.values()];
    this.#drains.clear();
    for (const answer of drains) answer(undefined);
  }

  #nextId(): string {
    this.#asked += 1;
    return `${this.#id}.${this.#asked}`;
  }
  #gone(): DialError {
    return new DialError('UNAVAILABLE', `the tunnel of node "${this.nodeName}" is gone`);
  }
}

/** The connection behind a Connect stream. */
function carry(x: Exchange, onClose: () => void): TunnelConnection {
  const call: ServerCall = new ServerCall(x, {
    message: (bytes) => connection.receive(frame.decode(bytes)),
    end: () => connection.carrierClosed(),
    closed: () => {
      connection.carrierClosed();
      onClose();
    },
  });
  const connection: TunnelConnection = new TunnelConnection({
    send: (f, sent) => {
      if (f.data) call.write([dataFrameHead(f.data.length), f.data], sent);
      else call.write([frame.encode(f)], sent);
    },
    pause: () => call.pause(),
    resume: () => call.resume(),
    finish: () => call.finish(grpcStatus.ok),
  });
  return connection;
}
