import { connect, type Socket } from 'node:net';
import { endpointKey, type Endpoint } from '../table/types.ts';
import type { DescriptorBudget } from './budget.ts';
import type { OpenByAddress, ServedGroup } from './group.ts';
import type { ReadBuffers } from './read-buffers.ts';

export interface TcpDeps {
  readonly budget: DescriptorBudget;
  readonly open: OpenByAddress;
  readonly buffers: ReadBuffers;
  /** The local address to connect from; undefined: the kernel's choice. */
  sourceFor(client: string, endpoint: Endpoint): string | undefined;
}

/** An endpoint that doesn't answer is given up after this long while there is another to try. */
const connectTimeoutMs = 1_000;
const lastConnectTimeoutMs = 5_000;
const keepAliveMs = 60_000;
/** The kernel chose a source port that is taken towards this endpoint: not the endpoint's fault. */
const sourceErrors = new Set(['EADDRNOTAVAIL', 'EADDRINUSE']);
const sourceRetries = 8;

/**
 * Serves one accepted, paused client: connects it to an endpoint of the group, to another one if that fails, and carries bytes
 * both ways with half-closes and resets passed on. The client is reset when no endpoint takes it.
 */
export function serveConnection(client: Socket, address: string, group: ServedGroup, deps: TcpDeps): void {
  const { budget, open, buffers } = deps;
  const tried = new Set<string>();
  let sourceFailures = 0;
  group.connections++;
  group.open++;
  budget.addConnections(1);

  const finish = (): void => {
    group.open--;
    budget.addConnections(-1);
  };
  const fail = (): void => {
    group.failures++;
    finish();
    client.resetAndDestroy();
  };

  function attempt(again?: Endpoint): void {
    const endpoint = again ?? group.picker.pick(address, tried);
    if (endpoint === undefined || client.destroyed) return fail();
    const source = deps.sourceFor(address, endpoint);
    let buffer = buffers.small();
    let next: Buffer | undefined;
    let fullReads = 0;
    let blocked = false;
    const onFlushed = (): void => {
      if (!blocked || client.writableLength > 0) return;
      blocked = false;
      upstream.resume();
    };
    const upstream: Socket = connect({
      host: endpoint.address,
      port: endpoint.port,
      ...(source === undefined ? {} : { localAddress: source }),
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
      // What is read goes straight on from the buffer it was read into; the next read waits until the kernel has taken all of it.
      onread: {
        buffer: () => {
          if (next !== undefined) {
            buffer = next;
            next = undefined;
          }
          return buffer;
        },
        callback: (bytes) => {
          group.bytesOut += bytes;
          fullReads = bytes === buffer.length ? fullReads + 1 : 0;
          client.write(buffer.subarray(0, bytes), onFlushed);
          if (client.writableLength > 0) {
            blocked = true;
            return false;
          }
          if (fullReads === 2) next = grow();
          return true;
        },
      },
    });
    const grow = (): Buffer | undefined => {
      const large = buffers.large();
      if (large !== undefined) buffers.release(buffer);
      return large;
    };

    const timeoutMs = group.picker.group.endpoints.length > tried.size + 1 ? connectTimeoutMs : lastConnectTimeoutMs;
    const giveUp = (): void => {
      if (upstream.connecting) upstream.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
    };
    // When this process was not run for a while, the timer is due before the answer that lies ready: that is looked at first.
    const timer = setTimeout(() => setImmediate(giveUp), timeoutMs);
    const onConnectError = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      upstream.removeListener('connect', onConnect);
      buffers.release(buffer);
      if (sourceErrors.has(error.code ?? '') && source !== undefined && ++sourceFailures <= sourceRetries) return attempt(endpoint);
      tried.add(endpointKey(endpoint));
      group.picker.failed(endpoint, error.code !== 'ECONNREFUSED');
      group.retries++;
      attempt();
    };
    const onConnect = (): void => {
      clearTimeout(timer);
      upstream.removeListener('error', onConnectError);
      group.picker.succeeded(endpoint);
      open.opened(endpoint.address);
      let left = 2;
      const onClosed = (): void => {
        if (--left > 0) return;
        buffers.release(buffer);
        open.closed(endpoint.address);
        finish();
      };
      splice(client, upstream, group, onClosed);
    };
    upstream.once('error', onConnectError);
    upstream.once('connect', onConnect);
  }
  attempt();
}

/** Joins the two; reading of `upstream` is its own onread's business. `onClosed` is called once for each of them. */
function splice(client: Socket, upstream: Socket, group: ServedGroup, onClosed: () => void): void {
  if (client.destroyed) {
    upstream.resetAndDestroy();
    upstream.once('close', onClosed);
    onClosed();
    return;
  }
  client.on('data', (chunk: Buffer) => {
    group.bytesIn += chunk.length;
    if (!upstream.write(chunk)) client.pause();
  });
  upstream.on('drain', () => client.resume());
  client.on('end', () => upstream.end());
  upstream.on('end', () => client.end());
  client.on('error', () => upstream.resetAndDestroy());
  upstream.on('error', () => client.resetAndDestroy());
  // Without an error both ways have ended by now, but the other side may still have to send what was written to it.
  client.on('close', (failed) => {
    if (!failed && !upstream.destroyed) upstream.end();
    onClosed();
  });
  upstream.on('close', (failed) => {
    if (!failed && !client.destroyed) client.end();
    onClosed();
  });
  client.resume();
}
