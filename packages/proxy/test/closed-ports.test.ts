import { connect, createServer, type AddressInfo } from 'node:net';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterEach, expect, it } from 'vitest';
import { DataPlane } from '../src/data/data-plane.ts';
import type { RawHandle } from '../src/data/host-ports.ts';
import type { DataTable, Frontend } from '../src/table/types.ts';

interface TcpHandle extends RawHandle {
  bind(address: string, port: number, flags: number): number;
  getsockname(out: { port?: number }): number;
}
const { TCP, constants } = (
  process as unknown as { binding(name: 'tcp_wrap'): { TCP: new (kind: number) => TcpHandle; constants: { SERVER: number } } }
).binding('tcp_wrap');

const settings = { localPodCidrs: [], clusterCidr: '10.1.0.0/16', shadowCidr: '10.2.0.0/16' };
const backend = createServer((socket) => socket.end('hello'));
const planes: DataPlane[] = [];
afterEach(async () => {
  for (const plane of planes.splice(0)) plane.stopListening();
  await new Promise((resolve) => backend.close(resolve));
});

it('are bound before there is an endpoint, refuse, and open without being bound again', async () => {
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const endpoint = { address: '127.0.0.1', port: (backend.address() as AddressInfo).port };
  const bound: number[] = [];
  // Bound here, as the child in the host's namespace does it.
  const hostPorts = {
    bind: (_protocol: string, address: string, port: number): Promise<RawHandle> => {
      const handle = new TCP(constants.SERVER);
      if (handle.bind(address, port, 0) !== 0) return Promise.reject(new Error('not bound'));
      const at: { port?: number } = {};
      handle.getsockname(at);
      bound.push(at.port ?? 0);
      return Promise.resolve(handle);
    },
    close: () => undefined,
  };
  const newPlane = (): DataPlane => {
    const plane = new DataPlane(settings, { clock: systemClock, log: silentLogger, hostPorts, random: Math.random, descriptorLimit: 1000 });
    planes.push(plane);
    return plane;
  };
  const frontend: Frontend = { place: 'host', protocol: 'TCP', address: '127.0.0.1', port: 0, group: 'ns/web:/TCP/IPv4/cluster' };
  const closed: DataTable = { settings, groups: {}, frontends: { port: { ...frontend, isClosed: true } } };
  const open: DataTable = { settings, groups: { [frontend.group]: { endpoints: [endpoint] } }, frontends: { port: frontend } };
  const ask = (): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port: bound.at(-1) ?? 0 });
      let got = '';
      socket.on('data', (piece: Buffer) => (got += piece.toString()));
      socket.on('end', () => resolve(got));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    });

  const plane = newPlane();
  expect(await plane.replace(closed)).toEqual([]);
  expect([bound.length, await ask()]).toEqual([1, 'ECONNREFUSED']);
  expect(await plane.replace(open)).toEqual([]);
  expect([bound.length, await ask()]).toEqual([1, 'hello']);
  await plane.replace(closed);
  expect([bound.length, await ask()]).toEqual([2, 'ECONNREFUSED']);

  // A successor gets it bound, and opens it.
  const successor = newPlane();
  await successor.replace(closed, await plane.handles());
  expect(await ask()).toBe('ECONNREFUSED');
  await successor.replace(open);
  expect([bound.length, await ask()]).toEqual([2, 'hello']);
});
