import { silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { createPathTable, type PathRequest } from '../paths.ts';
import { HealthResults, healthRoutes, pingCheck } from './health.ts';

const table = createPathTable(
  healthRoutes('readyz', [pingCheck, { name: 'etcd', check: () => Promise.reject(new Error('secret reason')) }], {
    log: silentLogger,
    results: new HealthResults(),
  }),
);
async function get(path: string, query = ''): Promise<[number, string]> {
  const r = await table.find(path)?.({ path, query: new URLSearchParams(query) } as PathRequest);
  return [r?.code ?? 404, Buffer.concat([...(r?.body ?? [])]).toString()];
}

describe('health pages', () => {
  it('withholds reasons', async () => {
    expect(await get('/readyz')).toEqual([500, '[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n']);
  });
  it('excludes', async () => {
    expect(await get('/readyz', 'exclude=etcd')).toEqual([200, 'ok']);
    expect(await get('/readyz', 'exclude=etcd&verbose')).toEqual([200, '[+]ping ok\n[+]etcd excluded: ok\nreadyz check passed\n']);
  });
  it('serves single checks', async () => {
    expect(await get('/readyz/ping')).toEqual([200, 'ok']);
    expect((await get('/readyz/nothing'))[0]).toBe(404);
  });
});
