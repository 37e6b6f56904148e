import type { BindReply, BindRequest, RawHandle } from '../host-ports.ts';

/**
 * Runs in the host's network namespace as a child of proxy-data and binds sockets for it. It never listens on them or reads
 * from them: two processes that do on one socket both get what arrives. Raw handles are sent because a server would arrive
 * without its backlog and without allowHalfOpen.
 */
interface BindableHandle extends RawHandle {
  bind(address: string, port: number, flags?: number): number;
  bind6(address: string, port: number, flags: number): number;
  getsockname(out: object): number;
}
interface Internals {
  binding(name: 'tcp_wrap'): { TCP: new (kind: number) => BindableHandle; constants: { SERVER: number; UV_TCP_IPV6ONLY: number } };
  binding(name: 'udp_wrap'): { UDP: new () => BindableHandle; constants: { UV_UDP_IPV6ONLY: number } };
  binding(name: 'uv'): { errname(code: number): string };
}
const internals = process as unknown as Internals;
const { TCP, constants: tcp } = internals.binding('tcp_wrap');
const { UDP, constants: udp } = internals.binding('udp_wrap');
const { errname } = internals.binding('uv');

const sent = new Map<number, RawHandle>();

const reply = (message: BindReply, handle?: RawHandle): boolean => process.send?.(message, handle as never) ?? false;

function bind(request: Extract<BindRequest, { id: number }>): void {
  const { id, protocol, address, port } = request;
  const handle = protocol === 'TCP' ? new TCP(tcp.SERVER) : new UDP();
  const only6 = protocol === 'TCP' ? tcp.UV_TCP_IPV6ONLY : udp.UV_UDP_IPV6ONLY;
  const bound = address.includes(':') ? handle.bind6(address, port, only6) : handle.bind(address, port, 0);
  // libuv keeps "address in use" of a TCP socket to itself until it is asked for the name or told to listen.
  const code = bound === 0 ? handle.getsockname({}) : bound;
  if (code !== 0) {
    handle.close();
    reply({ id, error: { code: errname(code), message: `bind ${address} ${port}: ${errname(code)}` } });
    return;
  }
  sent.set(id, handle);
  reply({ id }, handle);
}

process.on('message', (message) => {
  const request = message as BindRequest;
  if ('received' in request) {
    sent.get(request.received)?.close();
    sent.delete(request.received);
  } else bind(request);
});
// Alone it would hold ports that nobody serves.
process.on('disconnect', () => process.exit(0));
