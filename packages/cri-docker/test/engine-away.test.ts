import { access, mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RuntimeEvent } from '@skiff/cri';
import { createDockerRuntime, defaultDockerRuntimeConfig } from '../src/index.ts';

const engineSocket = '/var/run/docker.sock';
const missing = await access(engineSocket).then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) console.warn(`SKIPPED: needs Docker Engine: ${missing}`);

/** Stands between the runtime and the engine, so that the engine can go away for one test alone. */
async function createGate(socketPath: string): Promise<{ cut(): Promise<void>; open(): Promise<void> }> {
  const connections = new Set<net.Socket>();
  let server: net.Server | undefined;
  const open = async (): Promise<void> => {
    await rm(socketPath, { force: true });
    const made = net.createServer((client) => {
      const engine = net.connect(engineSocket);
      for (const s of [client, engine]) {
        connections.add(s);
        s.on('error', () => undefined);
        s.once('close', () => {
          connections.delete(s);
          client.destroy();
          engine.destroy();
        });
      }
      client.pipe(engine).pipe(client);
    });
    server = made;
    await new Promise<void>((resolve) => made.listen(socketPath, resolve));
  };
  const cut = async (): Promise<void> => {
    const closing = server;
    const closed = new Promise((resolve) => closing?.close(resolve));
    for (const c of connections) c.destroy();
    await closed;
  };
  await open();
  return { cut, open };
}

describe.skipIf(missing !== undefined)('an engine that goes away', () => {
  it('is told as unavailable, and is followed again when it is back', async () => {
    const socketPath = path.join(await mkdtemp(path.join(os.tmpdir(), 'engine-')), 'docker.sock');
    const gate = await createGate(socketPath);
    const made = createDockerRuntime({ ...defaultDockerRuntimeConfig, socketPath, instance: `away-${process.pid}` });
    const stop = new AbortController();
    const seen: RuntimeEvent['type'][] = [];
    let wake: () => void = () => undefined;
    const following = (async () => {
      for await (const e of made.runtime.events(stop.signal)) {
        seen.push(e.type);
        wake();
      }
    })();
    const until = async (count: number): Promise<void> => {
      while (seen.length < count) await new Promise<void>((resolve) => (wake = resolve));
    };
    await until(1);
    expect((await made.runtime.status()).ready).toBe(true);
    await gate.cut();
    await expect(made.runtime.listContainers()).rejects.toMatchObject({ kind: 'unavailable' });
    expect(
      await made.runtime.status().then(
        (s) => s.ready,
        () => false,
      ),
    ).toBe(false);
    await gate.open();
    await until(2);
    expect((await made.runtime.status()).ready).toBe(true);
    expect(await made.runtime.listContainers()).toEqual([]);
    expect(seen).toEqual(['resync', 'resync']);
    stop.abort();
    await following;
    made.close();
    await gate.cut();
  });
});
