import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** Plays an engine: `/version` as it should be, all else as the test says. */
export async function playEngine(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<AsyncDisposable & { readonly socketPath: string }> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'engine-'));
  const socketPath = path.join(directory, 'docker.sock');
  const server = http.createServer((request, response) => {
    if (request.url?.endsWith('/version') === true)
      response.end(JSON.stringify({ Version: '20.10.24', ApiVersion: '1.41', Arch: 'amd64' }));
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    socketPath,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true });
    },
  };
}
