import { mkdir, readdir, rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { aborted, type Logger } from '@skiff/component-base';
import type { Registration } from './plugin-messages.ts';

const socketName = 'kubelet.sock';

/** Whether somebody answers at a socket. */
const isServed = (file: string): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = net.connect(file);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });

/**
 * Serves Registration at `kubelet.sock` until `signal` aborts. Sockets that lie there are removed first: plugins see that and register
 * anew. gRPC is loaded when the first plugin comes. Throws when another kubelet serves there.
 */
export async function serveRegistration(
  directory: string,
  deps: { readonly register: (r: Registration) => void; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const file = path.join(directory, socketName);
  await mkdir(directory, { recursive: true, mode: 0o750 });
  if (await isServed(file)) throw new Error(`another kubelet serves device plugins at ${file}`);
  for (const entry of await readdir(directory, { withFileTypes: true }))
    if (entry.isSocket()) await rm(path.join(directory, entry.name), { force: true });
  let grpc: Promise<{ accept(socket: net.Socket): void; close(): void }> | undefined;
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    grpc ??= import('./plugin-grpc.ts').then(({ createRegistrationServer }) => createRegistrationServer(deps.register));
    grpc.then(
      (g) => g.accept(socket),
      (error: unknown) => {
        deps.log.error({ err: error }, 'device plugins can not be registered');
        socket.destroy();
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(file, resolve);
  });
  await aborted(signal);
  (await grpc?.catch(() => undefined))?.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
