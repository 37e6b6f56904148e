import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createEngine } from './engine.ts';
import { createDockerRuntime, type DockerRuntime } from './docker-runtime.ts';
import { defaultDockerRuntimeConfig } from './config.ts';
import { describeRequest } from './engine-requests.ts';
import { playEngine } from './play-engine.fixture.ts';

const opened: DockerRuntime[] = [];
afterEach(() => {
  for (const r of opened.splice(0)) r.close();
});
const runtimeAt = (socketPath: string, requestTimeoutMs = 100): DockerRuntime => {
  const made = createDockerRuntime({ ...defaultDockerRuntimeConfig, socketPath, requestTimeoutMs, instance: 'test' });
  opened.push(made);
  return made;
};
const notAborted = (): AbortSignal => new AbortController().signal;

describe('an engine that takes requests and does not answer', () => {
  it('is told of after the deadline, whatever was asked', async () => {
    await using engine = await playEngine(() => undefined);
    const { runtime, images } = runtimeAt(engine.socketPath);
    const late = { kind: 'unavailable', message: expect.stringMatching(/^the engine did not answer within 0.1 s \(\w+ \// as never) };
    const logs = async (): Promise<void> => {
      for await (const _ of runtime.containerLogs('c', { follow: true, signal: notAborted() }));
    };
    await Promise.all(
      [
        runtime.listContainers(),
        runtime.listPodSandbox(),
        runtime.containerStatus('c'),
        runtime.startContainer('c'),
        runtime.signalContainer('c', 'SIGTERM'),
        runtime.removeContainer('c'),
        runtime.removePodSandbox('s'),
        runtime.containerStats('c'),
        runtime.exec('c', { command: ['true'], tty: false, stdin: false }),
        runtime.execSync('c', ['true'], { timeoutMs: 1000, signal: notAborted() }),
        runtime.attach('c', { stdin: false, stdout: true, stderr: true, tty: false }),
        logs(),
        images.listImages(),
        images.imageStatus('busybox'),
      ].map(async (asked) => expect(asked).rejects.toMatchObject(late)),
    );
    expect(await runtime.status().catch((error: unknown) => error)).toMatchObject(late);
  });

  it('is not waited for by those who give up before', async () => {
    await using engine = await playEngine(() => undefined);
    const { runtime } = runtimeAt(engine.socketPath, 60_000);
    const stop = new AbortController();
    const run = runtime.execSync('c', ['true'], { timeoutMs: 60_000, signal: stop.signal });
    const wait = runtime.waitContainer('c', stop.signal);
    const logs = (async (): Promise<void> => {
      for await (const _ of runtime.containerLogs('c', { follow: true, signal: stop.signal }));
    })();
    stop.abort(new Error('enough'));
    await expect(run).rejects.toThrow('enough');
    await expect(wait).rejects.toThrow('enough');
    await logs;
  });
});

describe('an engine that cuts its answers off', () => {
  it('fails those who wait for the rest', async () => {
    await using engine = await playEngine((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 });
      response.write('[{"Id":', () => response.destroy());
    });
    const { runtime } = runtimeAt(engine.socketPath, 60_000);
    await expect(runtime.listContainers()).rejects.toMatchObject({ kind: 'unavailable' });
  });
  it('tells of errors that are no JSON', async () => {
    await using engine = await playEngine((_request, response) => void response.writeHead(500).end('<html>'));
    const { runtime } = runtimeAt(engine.socketPath);
    await expect(runtime.listContainers()).rejects.toMatchObject({ kind: 'internal', message: '<html>' });
  });
});

it('lets any number wait for containers, and still asks for their end', async () => {
  const waiting: ServerResponse[] = [];
  await using engine = await playEngine((request, response) => {
    if (request.url?.includes('/wait') === true) {
      response.writeHead(200).flushHeaders();
      waiting.push(response);
    } else {
      response.writeHead(204).end();
      if (request.url?.includes('/kill') === true) for (const w of waiting) w.end('{"StatusCode":0}');
    }
  });
  const { runtime } = runtimeAt(engine.socketPath, 60_000);
  const waits = Array.from({ length: 150 }, (_, i) => runtime.waitContainer(`c${i}`, notAborted()));
  while (waiting.length < waits.length) await new Promise((resolve) => setTimeout(resolve, 5));
  await runtime.signalContainer('c0', 'SIGTERM');
  await Promise.all(waits);
});

it('names requests without what makes each another one', async () => {
  expect(describeRequest('GET', '/v1.41/containers/json?all=true')).toBe('GET /containers/json');
  const engine = createEngine({ socketPath: '/nowhere/docker.sock', requestTimeoutMs: 1000 });
  await expect(engine.docker()).rejects.toMatchObject({ kind: 'unavailable' });
  engine.close();
});
