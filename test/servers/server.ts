import { randomUUID } from 'node:crypto';
import { freePort } from '@skiff/component-base';

process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');

export interface ServerContainer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** SIGKILL, as when the power goes; the data stay. */
  kill(): Promise<void>;
  /** Again on the same port, with the same data. Resolves when the port accepts. */
  start(): Promise<void>;
  exec(command: string[]): Promise<string>;
}

export interface ServerSpec {
  readonly image: string;
  readonly containerPort: number;
  readonly command: string[];
  /** A line of its log that says it is ready. */
  readonly readyLog: RegExp;
}

/** Tells one server from the others: one whose start failed has no other name yet. */
const idLabel = 'io.skiff.test.id';

/** A server in a container whose port stays the same over restarts. Removed when disposed, and when it doesn't start. */
export async function startServer(spec: ServerSpec): Promise<ServerContainer> {
  const port = await freePort();
  const id = randomUUID();
  const runtime = await getContainerRuntimeClient();
  const container = await new GenericContainer(spec.image)
    .withExposedPorts({ container: spec.containerPort, host: port })
    .withCommand(spec.command)
    .withLabels({ 'io.skiff.test': 'server', [idLabel]: id })
    .withWaitStrategy(Wait.forLogMessage(spec.readyLog))
    .withStartupTimeout(120_000)
    .start()
    .catch(async (error: unknown) => {
      const left = await runtime.container.fetchByLabel(idLabel, id);
      await left?.remove({ force: true, v: true });
      throw error;
    });
  const handle = runtime.container.getById(container.getId());
  const host = container.getHost();
  return {
    host,
    port,
    kill: async () => {
      await handle.kill({ signal: 'SIGKILL' });
      await handle.wait();
    },
    start: async () => {
      await handle.start();
    },
    exec: async (command) => (await container.exec(command)).output,
    [Symbol.asyncDispose]: async () => {
      await handle.remove({ force: true, v: true });
    },
  };
}
