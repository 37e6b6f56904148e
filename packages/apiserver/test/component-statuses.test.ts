import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { componentStatus } from '@skiff/api';
import { systemClock } from '@skiff/component-base';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { request } from '../src/registry/registry.fixture.ts';
import type { ApiRequest, ApiResponse } from '../src/contract.ts';
import { createComponentStatuses } from '../src/reviews/component-statuses.ts';

let server: Server;
/** One that nobody listens on any more. */
let closedPort = 0;
const listen = (s: Server): Promise<void> => new Promise((resolve) => s.listen(0, '127.0.0.1', resolve));
beforeAll(async () => {
  server = createServer((r, response) => response.writeHead(r.url === '/well' ? 200 : 500).end('ok'));
  await listen(server);
  const closed = createServer();
  await listen(closed);
  closedPort = (closed.address() as AddressInfo).port;
  await new Promise((resolve) => closed.close(resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

function statuses() {
  const { port } = server.address() as AddressInfo;
  const endpoint = createComponentStatuses(
    {
      'controller-manager': new URL(`http://127.0.0.1:${port}/well`),
      scheduler: new URL(`http://127.0.0.1:${port}/ill`),
      gone: new URL(`http://127.0.0.1:${closedPort}/healthz`),
    },
    { store: { ping: () => Promise.reject(new Error('no etcd')) }, clock: systemClock },
  ).create(componentStatus as never);
  const text = async (answer: Promise<ApiResponse> | undefined): Promise<string> =>
    Buffer.concat([...((await answer)?.body ?? [])]).toString();
  const ask = (verb: string, more: Partial<ApiRequest> & { name?: string; query?: never } = {}): ApiRequest => ({
    ...request({ verb, resource: 'componentstatuses', ...(more.name === undefined ? {} : { name: more.name }) }),
    ...more,
  });
  return {
    list: (o: Partial<ApiRequest> = {}) => text(endpoint.list?.({ ...ask('list'), ...o })),
    get: (name: string) => text(endpoint.get?.(ask('get', { name }))),
  };
}

it('tells of the processes beside it, and of the store', async () => {
  const list = JSON.parse(await statuses().list()) as { metadata: object; items: object[] };
  expect(list).toMatchObject({ kind: 'ComponentStatusList', apiVersion: 'v1' });
  expect(list.metadata).toEqual({});
  const gone = `127.0.0.1:${closedPort}`;
  const healthy = { type: 'Healthy', status: 'False' };
  expect(list.items).toEqual([
    { metadata: { name: 'controller-manager' }, conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }] },
    { metadata: { name: 'scheduler' }, conditions: [{ ...healthy, message: 'HTTP probe failed with statuscode: 500' }] },
    {
      metadata: { name: 'gone' },
      conditions: [{ ...healthy, message: `Get "http://${gone}/healthz": dial tcp ${gone}: connect: connection refused` }],
    },
    { metadata: { name: 'etcd-0' }, conditions: [{ ...healthy, error: 'no etcd' }] },
  ]);
});

it('answers for one, in all forms, and by selectors', async () => {
  const { list, get } = statuses();
  expect(await get('controller-manager')).toBe(
    '{"kind":"ComponentStatus","apiVersion":"v1","metadata":{"name":"controller-manager"},"conditions":[{"type":"Healthy","status":"True","message":"ok"}]}\n',
  );
  await expect(get('nobody')).rejects.toMatchObject({ reason: 'NotFound', message: 'componentstatus "nobody" not found' });
  const selected = JSON.parse(await list({ query: new URLSearchParams('fieldSelector=metadata.name=scheduler') })) as { items: object[] };
  expect(selected.items).toHaveLength(1);
  const table = JSON.parse(await list({ output: { mediaType: 'json', pretty: false, as: 'Table' } })) as { rows: { cells: unknown[] }[] };
  expect(table.rows[0]?.cells).toEqual(['controller-manager', 'Healthy', 'ok', '']);
});
