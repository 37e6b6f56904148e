import { expect, it } from 'vitest';
import { createPathTable, type PathRequest } from '../paths.ts';
import { zpages } from './zpages.ts';

const table = createPathTable(
  zpages({
    flags: {
      'secure-port': 6443,
      'redis-url': 'redis://user:secret@host/0',
      'other-url': 'redis://:p@ss:w@host:6379',
      'anonymous-auth': true,
      'etcd-servers': ['a', 'b'],
      missing: undefined,
    },
    startedMs: Date.parse('2026-01-01T00:00:00Z'),
    nowMs: () => Date.parse('2026-01-02T01:02:03Z'),
    binaryVersion: 'v1.36.2',
    paths: () => ['/api', '/apis', '/apis/apps', '/flagz', '/healthz', '/healthz/ping', '/statusz'],
  }),
);
const get = async (path: string): Promise<string[]> => {
  const answer = await table.find(path)?.({ path, query: new URLSearchParams() } as PathRequest);
  return Buffer.concat([...(answer?.body ?? [])])
    .toString()
    .split('\n');
};

it('tell the flags, without passwords', async () => {
  expect((await get('/flagz')).slice(4, -1)).toEqual([
    'anonymous-auth true',
    'etcd-servers [a,b]',
    'missing ',
    'other-url redis://:***@host:6379',
    'redis-url redis://user:***@host/0',
    'secure-port 6443',
  ]);
});

it('tell how it goes', async () => {
  const lines = await get('/statusz');
  expect(lines).toContain('Up  25 hr 2 min 3 sec');
  expect(lines).toContain('Paths  /flagz /healthz /statusz');
});
