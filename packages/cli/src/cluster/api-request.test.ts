import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { apiRequest } from './api-request.ts';

it('what is left of a time to wait is rarely a whole number of milliseconds', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const server = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  try {
    await expect(apiRequest({ servers: [server], ca: undefined }, { path: '/', timeoutMs: 20.25 })).rejects.toThrow(/^no answer within/);
  } finally {
    silent.close();
  }
});
